-- State is narrow and updated; facts are inserted once; a place is a row that exists or not.
-- An active record (status 0) is in exactly one of task_ready, task_later, or one lease whose list
-- holds its present turn; any other record is in none. `running` is therefore derived, never stored.
--
-- Times are integer microseconds since 1970, UTC. In every other table a task is known by its seq
-- (`task`), a definition by its id. Ids are the 16 bytes of their ULIDs, as uuid, which sort alike.
-- Texts that are keys sort by their bytes.

CREATE TABLE task_definition(
 id uuid PRIMARY KEY,                                 -- a ULID's bits
 alias text COLLATE "C" NOT NULL,
 title text NOT NULL DEFAULT '', description text NOT NULL DEFAULT '', memo text NOT NULL DEFAULT '',
 status smallint NOT NULL DEFAULT 0,                  -- 0 active, 1 canceled: not claimed, 2 deleted for good
 created_at bigint NOT NULL, updated_at bigint NOT NULL, deleted_at bigint);
CREATE UNIQUE INDEX task_definition_alias ON task_definition(alias) WHERE deleted_at IS NULL;
CREATE INDEX task_definition_off ON task_definition(id) WHERE status<>0; -- read by every claim, nearly always empty

-- The record: written at enqueue and when a claim ends, not at claim. Everything that the end of an attempt changes is
-- of fixed width and in no index, and the pages are kept half empty: so every end is a HOT update, which touches no index.
CREATE SEQUENCE task_queue_seq;                        -- drawn by an enqueue for all of its tasks at once
CREATE TABLE task_queue(
 seq bigint PRIMARY KEY,                              -- the order of enqueue; never reused
 run_at bigint NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL,
 started_at bigint, completed_at bigint,              -- the last attempt's own, not its batch's
 deleted_at bigint, cancel_at bigint,                 -- cancel_at: an open request about a running task
 progress_done bigint, progress_total bigint,
 turn integer NOT NULL DEFAULT 0,                     -- + 1 at every end of a claim and every move by control
 attempts integer NOT NULL DEFAULT 0,                 -- ended and counted; a running task is on attempts + 1
 max_attempts integer NOT NULL DEFAULT 0,             -- 0: as the handler says
 priority smallint NOT NULL DEFAULT 0,
 status smallint NOT NULL DEFAULT 0 CHECK(status BETWEEN 0 AND 5), -- 0 active, 2 success, 3 failed, 4 canceled, 5 paused
 suspect boolean NOT NULL DEFAULT false,              -- lost together with others: isolate before running
 id uuid NOT NULL UNIQUE,                             -- a ULID's bits
 definition_id uuid NOT NULL,                         -- no foreign key: it made an enqueue 1.6x as dear
 last_lease uuid,                                     -- the lease that last settled it: answers a settlement sent again
 queue text COLLATE "C" NOT NULL,
 key_hash bytea                                       -- never updated: the end frees the key, a requeue takes it again
) WITH (fillfactor=45,autovacuum_vacuum_scale_factor=0.02,autovacuum_vacuum_insert_scale_factor=0.05);
ALTER SEQUENCE task_queue_seq OWNED BY task_queue.seq;
-- Both nearly always empty, and no end of an attempt changes what they hold, unless a cancel was requested.
CREATE INDEX task_queue_cancel ON task_queue(seq) WHERE cancel_at IS NOT NULL; -- how a heartbeat hears
CREATE INDEX task_queue_deleted ON task_queue(deleted_at,seq) WHERE deleted_at IS NOT NULL; -- the trash, by when it got there

CREATE TABLE task_payload(                            -- what was said once, at enqueue; apart: the end of a task rewrites its record
 task bigint PRIMARY KEY,
 expires_at bigint,                                   -- not to be started afterwards; a requeue clears it
 timeout bigint,                                      -- microseconds for one run; NULL: as the handler says
 parameters text NOT NULL);

-- Claimable now; never updated; whoever deletes the row has the task. A primary key, or a publication of all tables refuses every claim.
CREATE TABLE task_ready(
 run_at bigint NOT NULL, task bigint NOT NULL, definition_id uuid NOT NULL, priority smallint NOT NULL, queue text COLLATE "C" NOT NULL,
 PRIMARY KEY(queue,priority,run_at,task)
) WITH (autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=20000,autovacuum_vacuum_cost_delay=0,
 autovacuum_analyze_scale_factor=0,autovacuum_analyze_threshold=50000);
CREATE TABLE task_later(
 run_at bigint NOT NULL, task bigint NOT NULL, definition_id uuid NOT NULL, priority smallint NOT NULL, queue text COLLATE "C" NOT NULL,
 PRIMARY KEY(run_at,task)
) WITH (autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=20000,autovacuum_vacuum_cost_delay=0,
 autovacuum_analyze_scale_factor=0,autovacuum_analyze_threshold=50000);
CREATE INDEX task_later_queue ON task_later(queue);   -- which queues have delayed tasks, and how many

-- One narrow row per claimed batch; no index but the key, so that beats and counts are HOT.
CREATE TABLE task_lease(
 lease uuid PRIMARY KEY, owner uuid NOT NULL,
 taken_from uuid,                                     -- who held it before a take-over: answers one sent again
 beat bigint NOT NULL DEFAULT 0, beat_at bigint NOT NULL,
 length bigint NOT NULL,                              -- microseconds
 claimed_at bigint NOT NULL,
 open integer NOT NULL,                               -- unsettled tasks, counted here alone; sum(open) = running
 alone boolean NOT NULL DEFAULT false                 -- made by isolate, so the loss counts
) WITH (fillfactor=50,autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=1000);
CREATE TABLE task_lease_tasks(lease uuid PRIMARY KEY, tasks bigint[] NOT NULL, turns integer[] NOT NULL) -- in claim order
 WITH (autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=1000);

CREATE TABLE task_result(                             -- how an attempt ended, when there is something to say
 task bigint NOT NULL, started_at bigint NOT NULL, ended_at bigint NOT NULL, turn integer NOT NULL,
 status smallint NOT NULL,                            -- 0: went back to the queue
 owner uuid,                                          -- NULL: nobody ran it, it was canceled while it waited
 output text, error text, PRIMARY KEY(task,turn));
CREATE TABLE task_log(
 task bigint NOT NULL, at bigint NOT NULL, turn integer NOT NULL, n integer NOT NULL,
 level smallint NOT NULL,                             -- 0 info, 1 success, 2 error
 line text NOT NULL, PRIMARY KEY(task,turn,n));
CREATE TABLE task_unique(key_hash bytea PRIMARY KEY, task bigint NOT NULL) -- the live holder of a key
 WITH (autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=5000);
CREATE TABLE task_aside(                              -- 3 failed, 4 canceled, 5 paused: lists and counts without an index on the record
 task bigint NOT NULL, status smallint NOT NULL, PRIMARY KEY(status,task));
-- Every task that has ended: lists by completion, and counts. A table and not an index on the record, whose ends would
-- then not be HOT. `deleted`: soft-deleted, so that a full trash is not walked through.
CREATE TABLE task_ended(
 completed_at bigint NOT NULL, task bigint NOT NULL, status smallint NOT NULL, deleted boolean NOT NULL,
 PRIMARY KEY(status,deleted,completed_at,task));
CREATE TABLE task_queue_state(queue text COLLATE "C" PRIMARY KEY, paused boolean NOT NULL DEFAULT false);

-- Ids between the bits that are stored and the text that everything else shows. NULL: it is no ULID.
CREATE FUNCTION task_ulid(id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
 SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',1+substring(x.bits FROM 5*n+1 FOR 5)::bit(5)::integer,1),'' ORDER BY n)
  FROM (SELECT B'00'||('x'||replace(id::text,'-',''))::bit(128) AS bits) x,generate_series(0,25) n $$;
CREATE FUNCTION task_uuid(ulid text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
 SELECT string_agg(to_hex(substring(x.bits FROM 4*n+3 FOR 4)::bit(4)::integer),'' ORDER BY n)::uuid
  FROM (SELECT string_agg((strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ',substr(upper(ulid),n,1))-1)::bit(5)::text,'' ORDER BY n) AS bits
   FROM generate_series(1,26) n WHERE upper(ulid)~'^[0-7][0-9A-HJKMNP-TV-Z]{25}$') x,generate_series(0,31) n WHERE x.bits IS NOT NULL $$;

-- What a person reads. Fast by id (id=task_uuid('01K..')) and by page of newest; never filter a large table by its derived status.
CREATE VIEW task AS
SELECT t.id,task_ulid(t.id) AS ulid,
 CASE t.status WHEN 2 THEN 'success' WHEN 3 THEN 'failed' WHEN 4 THEN 'canceled' WHEN 5 THEN 'paused'
  ELSE CASE WHEN t.waits THEN 'queued' ELSE 'running' END END AS status,
 t.queue AS queue_name,t.definition_id,d.alias,p.parameters,
 (SELECT x.output FROM task_result x WHERE x.task=t.seq AND x.turn=t.turn-1) AS output,
 (SELECT string_agg(to_char((timestamptz 'epoch'+g.at*interval '1 microsecond') AT TIME ZONE 'UTC','YYYY-MM-DD HH24:MI:SS.US ')
   ||CASE g.level WHEN 0 THEN 'info' WHEN 1 THEN 'success' ELSE 'error' END||' '||g.line,E'\n' ORDER BY g.turn,g.n)
  FROM task_log g WHERE g.task=t.seq) AS details,
 (SELECT x.error FROM task_result x WHERE x.task=t.seq AND x.error IS NOT NULL ORDER BY x.turn DESC LIMIT 1) AS error,
 t.attempts+(t.status=0 AND NOT t.waits)::integer AS attempts,nullif(t.max_attempts,0) AS max_attempts,
 t.progress_done||'/'||t.progress_total AS progress,t.priority,t.suspect,
 timestamptz 'epoch'+p.expires_at*interval '1 microsecond' AS expires_at,p.timeout/1000000.0 AS timeout_seconds,
 timestamptz 'epoch'+t.run_at*interval '1 microsecond' AS run_at,
 timestamptz 'epoch'+t.started_at*interval '1 microsecond' AS started_at,
 timestamptz 'epoch'+t.completed_at*interval '1 microsecond' AS completed_at,
 timestamptz 'epoch'+t.created_at*interval '1 microsecond' AS created_at,
 timestamptz 'epoch'+t.updated_at*interval '1 microsecond' AS updated_at,
 timestamptz 'epoch'+t.deleted_at*interval '1 microsecond' AS deleted_at,
 timestamptz 'epoch'+t.cancel_at*interval '1 microsecond' AS cancel_requested_at,
 task_ulid(h.owner) AS held_by,timestamptz 'epoch'+h.claimed_at*interval '1 microsecond' AS held_since
FROM (SELECT q.*,
  EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq)
   OR EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq) AS waits
  FROM task_queue q) t
LEFT JOIN task_definition d ON d.id=t.definition_id
LEFT JOIN task_payload p ON p.task=t.seq
LEFT JOIN LATERAL (SELECT l.owner,l.claimed_at FROM task_lease_tasks b JOIN task_lease l ON l.lease=b.lease
 CROSS JOIN LATERAL unnest(b.tasks,b.turns) AS e(task,turn)
 WHERE t.status=0 AND NOT t.waits AND t.seq=ANY(b.tasks) AND e.task=t.seq AND e.turn=t.turn LIMIT 1) h ON true;
