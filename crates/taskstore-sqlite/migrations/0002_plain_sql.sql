-- People enqueue with one statement: INSERT INTO task_enqueue(alias,parameters) VALUES('email.send','{"to":"x"}').
-- From any connection and any language, inside any transaction or trigger: nothing here is a function of this crate's, nor
-- younger than SQLite 3.37, which STRICT tables need. A value that cannot be is RAISE(ABORT), which undoes the whole
-- statement; its text is a literal because older versions take no other.
--
-- Sent again (its id is there) it changes nothing, and neither does one whose key is held. Both are looked for first and never
-- left to a constraint: INSERT OR IGNORE and OR REPLACE carry their rule into the trigger and would break the tables.
CREATE VIEW task_enqueue AS
SELECT NULL AS id, NULL AS alias, NULL AS parameters, NULL AS queue, NULL AS priority, NULL AS delay, NULL AS run_at,
 NULL AS max_attempts, NULL AS expires_in, NULL AS expires_at, NULL AS timeout, NULL AS unique_key, NULL AS unique_hash WHERE 0;

CREATE TRIGGER task_enqueue_insert INSTEAD OF INSERT ON task_enqueue BEGIN
 SELECT RAISE(IGNORE) FROM task_queue WHERE id=upper(NEW.id);
 SELECT CASE
  WHEN NEW.id IS NOT NULL AND (typeof(NEW.id)<>'text' OR length(CAST(NEW.id AS BLOB))<>26
   OR upper(NEW.id) GLOB '*[^0-9A-HJKMNP-TV-Z]*' OR NEW.id GLOB '[^0-7]*')
   THEN RAISE(ABORT,'id is not valid: it is not a ULID')
  WHEN NEW.alias IS NULL THEN RAISE(ABORT,'alias is not valid: it is missing')
  WHEN NOT EXISTS(SELECT 1 FROM task_definition WHERE alias=NEW.alias AND deleted_at IS NULL)
   THEN RAISE(ABORT,'alias is not valid: no task definition has it: it is made when its handler is registered')
  WHEN EXISTS(SELECT 1 FROM task_definition WHERE alias=NEW.alias AND deleted_at IS NULL AND status<>0)
   THEN RAISE(ABORT,'task definition is not valid: it is canceled')
  WHEN NEW.parameters IS NOT NULL AND typeof(NEW.parameters)<>'text'
   THEN RAISE(ABORT,'parameters is not valid: they are no text')
  WHEN length(CAST(NEW.parameters AS BLOB))>1048576
   THEN RAISE(ABORT,'parameters is not valid: they have more than 1048576 bytes')
  WHEN NEW.parameters IS NOT NULL AND (NOT json_valid(NEW.parameters) OR instr(NEW.parameters,char(0)))
   THEN RAISE(ABORT,'parameters is not valid: they are no JSON')
  WHEN NEW.queue IS NOT NULL AND typeof(NEW.queue)<>'text' THEN RAISE(ABORT,'queue is not valid: it is no text')
  WHEN length(NEW.queue)>64 THEN RAISE(ABORT,'queue is not valid: it is longer than 64 characters')
  WHEN NEW.queue GLOB '*[^!-~]*' OR length(CAST(NEW.queue AS BLOB))<>length(NEW.queue)
   THEN RAISE(ABORT,'queue is not valid: it may have visible ASCII characters only')
  WHEN NEW.priority IS NOT NULL AND (typeof(NEW.priority)<>'integer' OR NEW.priority NOT BETWEEN -32768 AND 32767)
   THEN RAISE(ABORT,'priority is not valid: it is not a whole number between -32768 and 32767')
  WHEN NEW.delay IS NOT NULL AND typeof(NEW.delay)<>'integer' AND typeof(NEW.delay)<>'real'
   THEN RAISE(ABORT,'delay is not valid: it is not a number of seconds')
  WHEN NEW.delay<0 THEN RAISE(ABORT,'delay is not valid: it is negative')
  WHEN NEW.delay>3153600000 THEN RAISE(ABORT,'delay is not valid: it is longer than 100 years')
  WHEN NEW.run_at IS NOT NULL AND NEW.delay IS NOT NULL
   THEN RAISE(ABORT,'run_at is not valid: there is a delay too, and only one of them can be')
  WHEN NEW.run_at IS NOT NULL AND (typeof(NEW.run_at)<>'text'
   OR NEW.run_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' OR date(substr(NEW.run_at,1,10))<>substr(NEW.run_at,1,10))
   THEN RAISE(ABORT,'run_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC')
  WHEN NEW.max_attempts IS NOT NULL AND (typeof(NEW.max_attempts)<>'integer' OR NEW.max_attempts NOT BETWEEN 1 AND 10000)
   THEN RAISE(ABORT,'max_attempts is not valid: it is not a whole number between 1 and 10000')
  WHEN NEW.expires_in IS NOT NULL AND typeof(NEW.expires_in)<>'integer' AND typeof(NEW.expires_in)<>'real'
   THEN RAISE(ABORT,'expires_in is not valid: it is not a number of seconds')
  WHEN NEW.expires_in<=0 THEN RAISE(ABORT,'expires_in is not valid: nothing could ever start')
  WHEN NEW.expires_in>3153600000 THEN RAISE(ABORT,'expires_in is not valid: it is longer than 100 years')
  WHEN NEW.expires_in IS NOT NULL AND NEW.expires_in<=NEW.delay
   THEN RAISE(ABORT,'expires_in is not valid: it expires before it may run')
  WHEN NEW.expires_at IS NOT NULL AND NEW.expires_in IS NOT NULL
   THEN RAISE(ABORT,'expires_at is not valid: there is expires_in too, and only one of them can be')
  WHEN NEW.expires_at IS NOT NULL AND (typeof(NEW.expires_at)<>'text'
   OR NEW.expires_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'
   OR date(substr(NEW.expires_at,1,10))<>substr(NEW.expires_at,1,10))
   THEN RAISE(ABORT,'expires_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC')
  WHEN NEW.timeout IS NOT NULL AND typeof(NEW.timeout)<>'integer' AND typeof(NEW.timeout)<>'real'
   THEN RAISE(ABORT,'timeout is not valid: it is not a number of seconds')
  WHEN NEW.timeout<=0 THEN RAISE(ABORT,'timeout is not valid: it is not longer than zero')
  WHEN NEW.timeout>3153600000 THEN RAISE(ABORT,'timeout is not valid: it is longer than 100 years')
  WHEN NEW.unique_key IS NOT NULL
   THEN RAISE(ABORT,'unique_key is not valid: SQLite cannot make its hash: give unique_hash, or enqueue it from a program')
  WHEN NEW.unique_hash IS NOT NULL AND (typeof(NEW.unique_hash)<>'blob' OR length(NEW.unique_hash)<>32)
   THEN RAISE(ABORT,'unique_hash is not valid: it is not a blob of 32 bytes')
 END;
 SELECT RAISE(IGNORE) FROM task_unique WHERE key_hash=NEW.unique_hash;
 -- The clock is read once: 'now' stays the same for a whole step. A made id has its milliseconds, then 25 bits of the order of
 -- enqueue, so that ids of the same millisecond sort by it, then 55 random bits.
 INSERT INTO task_queue(id,definition_id,queue,priority,run_at,max_attempts,created_at,updated_at,key_hash)
 SELECT coalesce(upper(NEW.id),
   substr(x.a,1+((x.ms>>45)&31),1)||substr(x.a,1+((x.ms>>40)&31),1)||substr(x.a,1+((x.ms>>35)&31),1)
   ||substr(x.a,1+((x.ms>>30)&31),1)||substr(x.a,1+((x.ms>>25)&31),1)||substr(x.a,1+((x.ms>>20)&31),1)
   ||substr(x.a,1+((x.ms>>15)&31),1)||substr(x.a,1+((x.ms>>10)&31),1)||substr(x.a,1+((x.ms>>5)&31),1)
   ||substr(x.a,1+(x.ms&31),1)
   ||substr(x.a,1+((x.n>>20)&31),1)||substr(x.a,1+((x.n>>15)&31),1)||substr(x.a,1+((x.n>>10)&31),1)
   ||substr(x.a,1+((x.n>>5)&31),1)||substr(x.a,1+(x.n&31),1)
   ||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)
   ||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)
   ||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)
   ||substr(x.a,1+(random()&31),1)||substr(x.a,1+(random()&31),1)),
  d.seq,coalesce(nullif(NEW.queue,''),'default'),coalesce(NEW.priority,0),
  CASE
   WHEN NEW.delay IS NOT NULL THEN x.ms*1000+CAST(round(NEW.delay*1000000) AS INTEGER)
   WHEN NEW.run_at IS NULL THEN x.ms*1000
   -- To the microsecond: SQLite's own functions stop at the millisecond. What is no time is later than what may be.
   WHEN instr(NEW.run_at,'.')=0 THEN coalesce(CAST(strftime('%s',NEW.run_at) AS INTEGER)*1000000,9000000000000000000)
   ELSE coalesce(CAST(strftime('%s',substr(NEW.run_at,1,instr(NEW.run_at,'.')-1)
     ||ltrim(substr(NEW.run_at,instr(NEW.run_at,'.')+1),'0123456789')) AS INTEGER)*1000000
    +CAST(round(CAST('0'||substr(NEW.run_at,instr(NEW.run_at,'.')) AS REAL)*1000000) AS INTEGER),9000000000000000000)
  END,
  coalesce(NEW.max_attempts,0),x.ms*1000,x.ms*1000,NEW.unique_hash
 FROM (SELECT CAST(strftime('%s','now') AS INTEGER)*1000+CAST(substr(strftime('%f','now'),4) AS INTEGER) AS ms,
   '0123456789ABCDEFGHJKMNPQRSTVWXYZ' AS a,(SELECT coalesce(max(seq),0)+1 FROM task_queue) AS n) x
  CROSS JOIN task_definition d ON d.alias=NEW.alias AND d.deleted_at IS NULL;
 SELECT RAISE(ABORT,'run_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC, at most 100 years ahead')
  FROM task_queue WHERE seq=last_insert_rowid() AND run_at>created_at+3153600000000000;
 INSERT INTO task_payload(task,parameters,expires_at,timeout) SELECT q.seq,coalesce(NEW.parameters,'null'),
  CASE
   WHEN NEW.expires_in IS NOT NULL THEN q.created_at+CAST(round(NEW.expires_in*1000000) AS INTEGER)
   WHEN NEW.expires_at IS NULL THEN NULL
   WHEN instr(NEW.expires_at,'.')=0 THEN coalesce(CAST(strftime('%s',NEW.expires_at) AS INTEGER)*1000000,9000000000000000000)
   ELSE coalesce(CAST(strftime('%s',substr(NEW.expires_at,1,instr(NEW.expires_at,'.')-1)
     ||ltrim(substr(NEW.expires_at,instr(NEW.expires_at,'.')+1),'0123456789')) AS INTEGER)*1000000
    +CAST(round(CAST('0'||substr(NEW.expires_at,instr(NEW.expires_at,'.')) AS REAL)*1000000) AS INTEGER),9000000000000000000)
  END,
  CASE WHEN NEW.timeout IS NOT NULL THEN max(1,CAST(round(NEW.timeout*1000000) AS INTEGER)) END
  FROM task_queue q WHERE q.seq=last_insert_rowid();
 SELECT CASE WHEN p.expires_at>q.created_at+3153600000000000
   THEN RAISE(ABORT,'expires_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC, at most 100 years ahead')
  WHEN p.expires_at<=q.run_at AND NEW.expires_at IS NOT NULL AND (NEW.run_at IS NOT NULL OR NEW.delay IS NOT NULL)
   THEN RAISE(ABORT,'expires_at is not valid: it expires before it may run')
  WHEN p.expires_at<=q.run_at AND NEW.expires_in IS NOT NULL
   THEN RAISE(ABORT,'expires_in is not valid: it expires before it may run') END
  FROM task_payload p CROSS JOIN task_queue q ON q.seq=p.task WHERE p.task=last_insert_rowid();
 INSERT INTO task_unique(key_hash,task) SELECT NEW.unique_hash,last_insert_rowid() WHERE NEW.unique_hash IS NOT NULL;
 INSERT INTO task_ready(queue,priority,run_at,task,definition_id) SELECT queue,priority,run_at,seq,definition_id
  FROM task_queue WHERE seq=last_insert_rowid() AND run_at<=created_at;
 INSERT INTO task_later(run_at,task,queue,priority,definition_id) SELECT run_at,seq,queue,priority,definition_id
  FROM task_queue WHERE seq=last_insert_rowid() AND run_at>created_at;
END;
