-- State is narrow and updated; facts are inserted once; a place is a row that exists or not.
-- An active record (status 0) is in exactly one of task_ready, task_later, or one lease whose list
-- holds its present turn; any other record is in none. `running` is therefore derived, never stored.
--
-- Times are integer microseconds since 1970, UTC. Inside the file a task is known by its seq
-- (`task` in every other table) and a definition by its seq (`definition_id`). Leases are the 16
-- bytes of their ULIDs. No `IN (..)` in a CHECK or a partial index: it made everything 1.8x slower.

CREATE TABLE task_definition(
 seq INTEGER PRIMARY KEY,
 id TEXT NOT NULL UNIQUE,                             -- ULID
 alias TEXT NOT NULL,
 title TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', memo TEXT NOT NULL DEFAULT '',
 status INTEGER NOT NULL DEFAULT 0,                   -- 0 active, 1 canceled: not claimed
 created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, deleted_at INTEGER) STRICT;
CREATE UNIQUE INDEX task_definition_alias ON task_definition(alias) WHERE deleted_at IS NULL;

CREATE TABLE task_queue(                              -- the record: written at enqueue and when a claim ends, not at claim
 seq INTEGER PRIMARY KEY AUTOINCREMENT,               -- never reused: a lease or a result can outlive a purged record
 id TEXT NOT NULL UNIQUE,                             -- ULID
 definition_id INTEGER NOT NULL, queue TEXT NOT NULL,
 status INTEGER NOT NULL DEFAULT 0 CHECK(status BETWEEN 0 AND 5), -- 0 active, 2 success, 3 failed, 4 canceled, 5 paused
 turn INTEGER NOT NULL DEFAULT 0,                     -- + 1 at every end of a claim and every move by control
 attempts INTEGER NOT NULL DEFAULT 0,                 -- ended and counted; a running task is on attempts + 1
 max_attempts INTEGER NOT NULL DEFAULT 0,             -- 0: as the handler says
 suspect INTEGER NOT NULL DEFAULT 0,                  -- lost together with others: isolate before running
 priority INTEGER NOT NULL DEFAULT 0, run_at INTEGER NOT NULL,
 progress_done INTEGER, progress_total INTEGER,
 created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
 started_at INTEGER, completed_at INTEGER,            -- the last attempt's own, not its batch's
 deleted_at INTEGER, cancel_at INTEGER,               -- cancel_at: an open request about a running task
 last_lease BLOB,                                     -- the lease that last settled it: answers a settlement sent again
 key_hash BLOB) STRICT;                               -- never updated: the end frees the key, a requeue takes it again
CREATE INDEX task_queue_cancel ON task_queue(seq) WHERE cancel_at IS NOT NULL; -- nearly always empty; how a heartbeat hears
CREATE INDEX task_queue_completed ON task_queue(status,completed_at) -- written once, at the end; lists by completion, and counts
 WHERE completed_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX task_queue_completed_deleted ON task_queue(status,completed_at) -- the rest of it, nearly empty
 WHERE completed_at IS NOT NULL AND deleted_at IS NOT NULL;
CREATE INDEX task_queue_deleted ON task_queue(deleted_at) WHERE deleted_at IS NOT NULL; -- the trash, by when it got there; nearly empty

CREATE TABLE task_payload(                            -- what was said once, at enqueue; apart: the end of a task rewrites its record
 task INTEGER PRIMARY KEY,
 expires_at INTEGER,                                  -- not to be started afterwards; a requeue clears it
 timeout INTEGER,                                     -- microseconds for one run; NULL: as the handler says
 parameters TEXT NOT NULL) STRICT;                    -- last: whatever lies behind 10 kB costs a walk over its pages

CREATE TABLE task_ready(                              -- claimable now; never updated; whoever deletes the row has the task
 queue TEXT NOT NULL, priority INTEGER NOT NULL, run_at INTEGER NOT NULL, task INTEGER NOT NULL, definition_id INTEGER NOT NULL,
 PRIMARY KEY(queue,priority,run_at,task)) STRICT, WITHOUT ROWID;
CREATE TABLE task_later(
 run_at INTEGER NOT NULL, task INTEGER NOT NULL, queue TEXT NOT NULL, priority INTEGER NOT NULL, definition_id INTEGER NOT NULL,
 PRIMARY KEY(run_at,task)) STRICT, WITHOUT ROWID;
CREATE INDEX task_later_queue ON task_later(queue);   -- which queues have delayed tasks, and how many

CREATE TABLE task_lease(                              -- one narrow row per claimed batch: tens of rows, so scanned where needed
 lease BLOB PRIMARY KEY NOT NULL, owner TEXT NOT NULL, beat INTEGER NOT NULL, beat_at INTEGER NOT NULL,
 length INTEGER NOT NULL,                             -- microseconds
 claimed_at INTEGER NOT NULL,
 open INTEGER NOT NULL,                               -- unsettled tasks, counted here alone; sum(open) = running
 alone INTEGER NOT NULL DEFAULT 0,                    -- 1: made by isolate, so the loss counts
 taken_from TEXT) STRICT, WITHOUT ROWID;              -- who held it before a take-over: answers one sent again
CREATE TABLE task_lease_tasks(lease BLOB PRIMARY KEY NOT NULL, tasks TEXT NOT NULL) STRICT; -- {"task":turn,..} in claim order

CREATE TABLE task_result(                             -- how an attempt ended, when there is something to say
 attempt INTEGER PRIMARY KEY,                         -- task << 24 | turn: one integer, appended to the leaf; (task,turn) WITHOUT ROWID
 task INTEGER GENERATED ALWAYS AS (attempt>>24) VIRTUAL, -- took 5 kB of log a task at outputs of 1 kB. Read by attempt, never by these.
 turn INTEGER GENERATED ALWAYS AS (attempt&16777215) VIRTUAL,
 status INTEGER NOT NULL,                             -- 0: went back to the queue
 started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
 owner TEXT,                                          -- NULL: nobody ran it, it was canceled while it waited
 output TEXT, error TEXT) STRICT;
CREATE TABLE task_log(
 task INTEGER NOT NULL, turn INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL,
 level INTEGER NOT NULL,                              -- 0 info, 1 success, 2 error
 line TEXT NOT NULL, PRIMARY KEY(task,turn,n)) STRICT; -- with a rowid: lines are long
CREATE TABLE task_unique(key_hash BLOB PRIMARY KEY NOT NULL, task INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE task_aside(                              -- 3 failed, 4 canceled, 5 paused: lists and counts without an index on the record
 status INTEGER NOT NULL, task INTEGER NOT NULL, PRIMARY KEY(status,task)) STRICT, WITHOUT ROWID;
CREATE TABLE task_queue_state(queue TEXT PRIMARY KEY NOT NULL, paused INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

-- What a person reads: times as UTC text with microseconds, which sort and compare as they read.
-- Fast by id and by page of newest; never filter a large table by its derived status.
CREATE VIEW task AS
SELECT t.id,
 CASE t.status WHEN 2 THEN 'success' WHEN 3 THEN 'failed' WHEN 4 THEN 'canceled' WHEN 5 THEN 'paused'
  ELSE CASE WHEN t.waits THEN 'queued' ELSE 'running' END END AS status,
 t.queue AS queue_name, d.id AS definition_id, d.alias,
 (SELECT p.parameters FROM task_payload p WHERE p.task=t.seq) AS parameters,
 (SELECT x.output FROM task_result x WHERE x.attempt=(t.seq<<24|(t.turn-1))) AS output,
 (SELECT group_concat(strftime('%Y-%m-%d %H:%M:%S',g.at/1000000,'unixepoch')||printf('.%06d ',g.at%1000000)
   ||CASE g.level WHEN 0 THEN 'info' WHEN 1 THEN 'success' ELSE 'error' END||' '||g.line,char(10))
  FROM (SELECT at,level,line FROM task_log WHERE task_log.task=t.seq ORDER BY turn,n) g) AS details,
 (SELECT x.error FROM task_result x WHERE x.attempt BETWEEN t.seq<<24 AND (t.seq<<24)+16777215 AND x.error IS NOT NULL
  ORDER BY x.attempt DESC LIMIT 1) AS error,
 t.attempts+(t.status=0 AND NOT t.waits) AS attempts, nullif(t.max_attempts,0) AS max_attempts,
 t.progress_done||'/'||t.progress_total AS progress, t.priority, t.suspect,
 (SELECT strftime('%Y-%m-%d %H:%M:%S',p.expires_at/1000000,'unixepoch')||printf('.%06d',p.expires_at%1000000)
  FROM task_payload p WHERE p.task=t.seq) AS expires_at,
 (SELECT p.timeout/1000000.0 FROM task_payload p WHERE p.task=t.seq) AS timeout_seconds,
 strftime('%Y-%m-%d %H:%M:%S',t.run_at/1000000,'unixepoch')||printf('.%06d',t.run_at%1000000) AS run_at,
 strftime('%Y-%m-%d %H:%M:%S',t.started_at/1000000,'unixepoch')||printf('.%06d',t.started_at%1000000) AS started_at,
 strftime('%Y-%m-%d %H:%M:%S',t.completed_at/1000000,'unixepoch')||printf('.%06d',t.completed_at%1000000) AS completed_at,
 strftime('%Y-%m-%d %H:%M:%S',t.created_at/1000000,'unixepoch')||printf('.%06d',t.created_at%1000000) AS created_at,
 strftime('%Y-%m-%d %H:%M:%S',t.updated_at/1000000,'unixepoch')||printf('.%06d',t.updated_at%1000000) AS updated_at,
 strftime('%Y-%m-%d %H:%M:%S',t.deleted_at/1000000,'unixepoch')||printf('.%06d',t.deleted_at%1000000) AS deleted_at,
 strftime('%Y-%m-%d %H:%M:%S',t.cancel_at/1000000,'unixepoch')||printf('.%06d',t.cancel_at%1000000) AS cancel_requested_at,
 CASE WHEN t.status=0 AND NOT t.waits THEN (SELECT l.owner FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease
  WHERE json_extract(x.tasks,'$."'||t.seq||'"')=t.turn) END AS held_by,
 CASE WHEN t.status=0 AND NOT t.waits THEN
  (SELECT strftime('%Y-%m-%d %H:%M:%S',l.claimed_at/1000000,'unixepoch')||printf('.%06d',l.claimed_at%1000000)
   FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease
   WHERE json_extract(x.tasks,'$."'||t.seq||'"')=t.turn) END AS held_since
FROM (SELECT q.*,
  EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq)
   OR EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq) AS waits
  FROM task_queue q) t
LEFT JOIN task_definition d ON d.seq=t.definition_id;
