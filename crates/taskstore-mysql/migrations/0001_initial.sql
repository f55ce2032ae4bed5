-- State is narrow and updated; facts are inserted once; a place is a row that exists or not.
-- An active record (status 0) is in exactly one of task_ready, task_later, or one lease whose list
-- holds its present turn; any other record is in none. `running` is therefore derived, never stored.
--
-- Times are integer microseconds since 1970, UTC. A task is known by its seq (`task` in every other
-- table) and a definition by its seq (`definition_id`). Leases are the 16 bytes of their ULIDs.
-- What an update touches is NOT NULL, of fixed width, and in no index: a row whose size stays the
-- same is written in place (330 bytes of redo a task instead of 2,960). So 0 stands for no time, and
-- -1 for no progress; lists by what changes read a small table of facts instead of an index.
-- No foreign key: it would lock the parent at every enqueue.

CREATE TABLE IF NOT EXISTS task_definition(
 seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
 id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,          -- ULID
 alias VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
 title TEXT NOT NULL, description MEDIUMTEXT NOT NULL, memo MEDIUMTEXT NOT NULL,
 status TINYINT NOT NULL DEFAULT 0,                                   -- 0 active, 1 canceled: not claimed, 2 deleted for good
 created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL DEFAULT 0,
 live_alias VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin AS (CASE WHEN deleted_at=0 THEN alias END) STORED,
 UNIQUE KEY task_definition_id(id), UNIQUE KEY task_definition_alias(live_alias)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS task_queue(                                -- the record: written at enqueue and when a claim ends, not at claim
 seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
 id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,          -- ULID
 definition_id BIGINT NOT NULL,
 queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
 status TINYINT NOT NULL DEFAULT 0,                                   -- 0 active, 2 success, 3 failed, 4 canceled, 5 paused
 turn INT NOT NULL DEFAULT 0,                                         -- + 1 at every end of a claim and every move by control
 attempts INT NOT NULL DEFAULT 0,                                     -- ended and counted; a running task is on attempts + 1
 max_attempts INT NOT NULL DEFAULT 0,                                 -- 0: as the handler says
 suspect TINYINT NOT NULL DEFAULT 0,                                  -- lost together with others: isolate before running
 priority SMALLINT NOT NULL DEFAULT 0, run_at BIGINT NOT NULL,
 progress_done BIGINT NOT NULL DEFAULT -1, progress_total BIGINT NOT NULL DEFAULT -1,
 created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
 started_at BIGINT NOT NULL DEFAULT 0, completed_at BIGINT NOT NULL DEFAULT 0, -- the last attempt's own, not its batch's
 deleted_at BIGINT NOT NULL DEFAULT 0, cancel_at BIGINT NOT NULL DEFAULT 0,    -- cancel_at: an open request about a running task
 last_lease BINARY(16) NOT NULL DEFAULT '',                           -- the lease that last settled it: answers a settlement sent again
 key_hash BINARY(32) NULL,                                            -- never updated: the end frees the key, a requeue takes it again
 UNIQUE KEY task_queue_id(id)) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS task_payload(                              -- what was said once, at enqueue; apart: the end of a task rewrites its record
 task BIGINT NOT NULL PRIMARY KEY,
 expires_at BIGINT NULL,                                              -- not to be started afterwards; a requeue clears it
 timeout BIGINT NULL,                                                 -- microseconds for one run; NULL: as the handler says
 parameters MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS task_ready(                                -- claimable now; never updated; whoever deletes the row has the task
 queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, priority SMALLINT NOT NULL, run_at BIGINT NOT NULL, task BIGINT NOT NULL,
 definition_id BIGINT NOT NULL,                                       -- here, so that an excluded one is skipped without keeping a lock
 PRIMARY KEY(queue,priority,run_at,task)) ENGINE=InnoDB DEFAULT CHARSET=ascii;
CREATE TABLE IF NOT EXISTS task_later(
 run_at BIGINT NOT NULL, task BIGINT NOT NULL, queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, priority SMALLINT NOT NULL,
 definition_id BIGINT NOT NULL,
 PRIMARY KEY(run_at,task), KEY task_later_queue(queue)) ENGINE=InnoDB DEFAULT CHARSET=ascii; -- which queues have delayed tasks, and how many

CREATE TABLE IF NOT EXISTS task_lease(                                -- one narrow row per claimed batch: tens of rows, so scanned where needed
 lease BINARY(16) NOT NULL PRIMARY KEY, owner CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
 beat INT NOT NULL, beat_at BIGINT NOT NULL,
 length BIGINT NOT NULL,                                              -- microseconds
 claimed_at BIGINT NOT NULL,
 open INT NOT NULL,                                                   -- unsettled tasks, counted here alone; sum(open) = running
 alone TINYINT NOT NULL DEFAULT 0,                                    -- 1: made by isolate, so the loss counts
 taken_from CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL) ENGINE=InnoDB DEFAULT CHARSET=ascii; -- who held it before a take-over
CREATE TABLE IF NOT EXISTS task_lease_tasks(                          -- [[task,turn],..] in claim order
 lease BINARY(16) NOT NULL PRIMARY KEY, tasks MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS task_result(                               -- how an attempt ended, when there is something to say
 task BIGINT NOT NULL, turn INT NOT NULL,                             -- the key is a second fence
 status TINYINT NOT NULL,                                             -- 0: went back to the queue
 started_at BIGINT NOT NULL, ended_at BIGINT NOT NULL,
 owner CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,           -- NULL: nobody ran it, it was canceled while it waited
 output MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, error MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 PRIMARY KEY(task,turn)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE IF NOT EXISTS task_log(
 task BIGINT NOT NULL, turn INT NOT NULL, n INT NOT NULL, at BIGINT NOT NULL,
 level TINYINT NOT NULL,                                              -- 0 info, 1 success, 2 error
 line MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, PRIMARY KEY(task,turn,n)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE IF NOT EXISTS task_unique(                               -- the id, not the seq: a key is taken before its record is made
 key_hash BINARY(32) NOT NULL PRIMARY KEY, task_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=ascii;
CREATE TABLE IF NOT EXISTS task_aside(                                -- 3 failed, 4 canceled, 5 paused: lists and counts without an index on the record
 status TINYINT NOT NULL, task BIGINT NOT NULL, PRIMARY KEY(status,task)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS task_ended(                                -- 2, 3 and 4 by when they ended: a row as long as the record shows that end
 status TINYINT NOT NULL, completed_at BIGINT NOT NULL, task BIGINT NOT NULL, PRIMARY KEY(status,completed_at,task)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS task_deleted(                              -- the trash, by when it got there: a row as long as the record is soft-deleted
 deleted_at BIGINT NOT NULL, task BIGINT NOT NULL, PRIMARY KEY(deleted_at,task)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS task_cancel(                               -- open requests about running tasks, nearly always none: how a heartbeat hears
 task BIGINT NOT NULL PRIMARY KEY, id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=ascii;
CREATE TABLE IF NOT EXISTS task_queue_state(
 queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, paused TINYINT NOT NULL DEFAULT 0) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- What a person reads: times as DATETIME in UTC with microseconds, whatever the session's time zone. `details` is cut at
-- group_concat_max_len, on MySQL 1,024 bytes unless it is set. MERGE, so that a search by id or seq goes to the
-- record's keys; never filter a large table by its derived status.
CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW task AS
SELECT t.id,
 CASE t.status WHEN 2 THEN 'success' WHEN 3 THEN 'failed' WHEN 4 THEN 'canceled' WHEN 5 THEN 'paused'
  ELSE IF(r.task IS NULL AND w.task IS NULL,'running','queued') END AS status,
 t.queue AS queue_name, d.id AS definition_id, d.alias, p.parameters, o.output,
 (SELECT GROUP_CONCAT(CONCAT(TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL g.at MICROSECOND,' ',
   CASE g.level WHEN 0 THEN 'info' WHEN 1 THEN 'success' ELSE 'error' END,' ',g.line) ORDER BY g.turn,g.n SEPARATOR '\n')
  FROM task_log g FORCE INDEX(PRIMARY) WHERE g.task=t.seq) AS details,
 (SELECT x.error FROM task_result x FORCE INDEX(PRIMARY) WHERE x.task=t.seq AND x.error IS NOT NULL ORDER BY x.turn DESC LIMIT 1) AS error,
 t.attempts+(t.status=0 AND r.task IS NULL AND w.task IS NULL) AS attempts, NULLIF(t.max_attempts,0) AS max_attempts,
 IF(t.progress_done<0,NULL,CONCAT(t.progress_done,'/',t.progress_total)) AS progress, t.priority, t.suspect,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL p.expires_at MICROSECOND AS expires_at,
 p.timeout/1000000 AS timeout_seconds,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL t.run_at MICROSECOND AS run_at,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL NULLIF(t.started_at,0) MICROSECOND AS started_at,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL NULLIF(t.completed_at,0) MICROSECOND AS completed_at,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL t.created_at MICROSECOND AS created_at,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL t.updated_at MICROSECOND AS updated_at,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL NULLIF(t.deleted_at,0) MICROSECOND AS deleted_at,
 TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL NULLIF(t.cancel_at,0) MICROSECOND AS cancel_requested_at,
 CASE WHEN t.status=0 AND r.task IS NULL AND w.task IS NULL THEN
  (SELECT l.owner FROM task_lease l STRAIGHT_JOIN task_lease_tasks x ON x.lease=l.lease
   WHERE LOCATE(CONCAT('[',t.seq,',',t.turn,']'),x.tasks)>0 LIMIT 1) END AS held_by,
 CASE WHEN t.status=0 AND r.task IS NULL AND w.task IS NULL THEN
  (SELECT TIMESTAMP'1970-01-01 00:00:00.000000'+INTERVAL l.claimed_at MICROSECOND
   FROM task_lease l STRAIGHT_JOIN task_lease_tasks x ON x.lease=l.lease
   WHERE LOCATE(CONCAT('[',t.seq,',',t.turn,']'),x.tasks)>0 LIMIT 1) END AS held_since
FROM task_queue t
LEFT JOIN task_later w FORCE INDEX(PRIMARY) ON t.status=0 AND w.run_at=t.run_at AND w.task=t.seq
LEFT JOIN task_ready r FORCE INDEX(PRIMARY) ON t.status=0 AND r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq
LEFT JOIN task_definition d FORCE INDEX(PRIMARY) ON d.seq=t.definition_id
LEFT JOIN task_payload p FORCE INDEX(PRIMARY) ON p.task=t.seq
LEFT JOIN task_result o FORCE INDEX(PRIMARY) ON o.task=t.seq AND o.turn=t.turn-1;
