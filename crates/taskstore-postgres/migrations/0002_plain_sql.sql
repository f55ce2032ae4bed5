-- People enqueue with one statement: INSERT INTO task_enqueue(alias,parameters) VALUES('email.send','{"to":"x"}').
-- From any connection and any language, inside any transaction or trigger; RETURNING id gives the id that was made. A value that
-- cannot be is an error that names its column, and undoes the whole statement.
--
-- Sent again (its id is there) it changes nothing, and neither does one whose key is held: no row is returned then.
-- Columns are wider than what they take, so that what does not fit is refused here, by name.
CREATE VIEW task_enqueue AS
SELECT NULL::text AS id,NULL::text AS alias,NULL::text AS parameters,NULL::text AS queue,NULL::bigint AS priority,NULL::numeric AS delay,
 NULL::text AS run_at,NULL::bigint AS max_attempts,NULL::numeric AS expires_in,NULL::text AS expires_at,NULL::numeric AS timeout,
 NULL::text AS unique_key,NULL::bytea AS unique_hash WHERE false;

-- Microseconds of a time as text, in UTC unless it says another zone; NULL: it is none. Not what PostgreSQL also takes for a time,
-- such as `tomorrow`.
CREATE FUNCTION task_enqueue_time(at text) RETURNS bigint LANGUAGE plpgsql STRICT AS $$
BEGIN
 IF at!~'^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$' THEN
  RETURN NULL;
 ELSIF at~'\d(Z|[+-]\d\d(:?\d\d)?)$' AND length(at)>10 THEN
  RETURN extract(epoch FROM at::timestamptz)*1000000;
 END IF;
 RETURN extract(epoch FROM at::timestamp AT TIME ZONE 'UTC')*1000000;
EXCEPTION WHEN data_exception THEN
 RETURN NULL;
END $$;

CREATE FUNCTION task_enqueue_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
 of_alias record; made uuid; number bigint; random bit varying; hash bytea; why text;
 created bigint:=extract(epoch FROM now())*1000000; due bigint; expires bigint;
BEGIN
 -- Whoever deletes a definition for good waits for this, and then sees the task; or is waited for here, and is seen.
 LOCK TABLE task_queue IN ROW EXCLUSIVE MODE;
 IF NEW.id~'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN made:=NEW.id::uuid; ELSE made:=task_uuid(NEW.id); END IF;
 IF EXISTS(SELECT 1 FROM task_queue WHERE id=made) THEN RETURN NULL; END IF;
 SELECT id,status INTO of_alias FROM task_definition WHERE alias=NEW.alias AND deleted_at IS NULL;
 due:=CASE WHEN NEW.delay BETWEEN 0 AND 3153600000 THEN created+round(NEW.delay*1000000) WHEN NEW.run_at IS NULL THEN created
  ELSE task_enqueue_time(NEW.run_at) END;
 expires:=CASE WHEN NEW.expires_in BETWEEN 0 AND 3153600000 THEN created+round(NEW.expires_in*1000000) ELSE task_enqueue_time(NEW.expires_at) END;
 why:=CASE
  WHEN NEW.id IS NOT NULL AND made IS NULL THEN 'id is not valid: it is not a ULID'
  WHEN NEW.alias IS NULL THEN 'alias is not valid: it is missing'
  WHEN of_alias.id IS NULL THEN 'alias is not valid: no task definition has it: it is made when its handler is registered'
  WHEN of_alias.status<>0 THEN 'task definition is not valid: it is canceled'
  WHEN octet_length(NEW.parameters)>1048576 THEN 'parameters is not valid: they have more than 1048576 bytes'
  WHEN length(NEW.queue)>64 THEN 'queue is not valid: it is longer than 64 characters'
  WHEN NEW.queue!~'^[!-~]*$' OR octet_length(NEW.queue)<>length(NEW.queue) THEN 'queue is not valid: it may have visible ASCII characters only'
  WHEN NEW.priority NOT BETWEEN -32768 AND 32767 THEN 'priority is not valid: it is not a whole number between -32768 and 32767'
  WHEN NEW.delay<0 THEN 'delay is not valid: it is negative'
  WHEN NEW.delay>3153600000 THEN 'delay is not valid: it is longer than 100 years'
  WHEN NEW.run_at IS NOT NULL AND NEW.delay IS NOT NULL THEN 'run_at is not valid: there is a delay too, and only one of them can be'
  WHEN due IS NULL OR due>created+3153600000000000
   THEN 'run_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC, at most 100 years ahead'
  WHEN NEW.max_attempts NOT BETWEEN 1 AND 10000 THEN 'max_attempts is not valid: it is not a whole number between 1 and 10000'
  WHEN NEW.expires_in<=0 THEN 'expires_in is not valid: nothing could ever start'
  WHEN NEW.expires_in>3153600000 THEN 'expires_in is not valid: it is longer than 100 years'
  WHEN NEW.expires_in IS NOT NULL AND expires<=due THEN 'expires_in is not valid: it expires before it may run'
  WHEN NEW.expires_at IS NOT NULL AND NEW.expires_in IS NOT NULL
   THEN 'expires_at is not valid: there is expires_in too, and only one of them can be'
  WHEN NEW.expires_at IS NOT NULL AND (expires IS NULL OR expires>created+3153600000000000)
   THEN 'expires_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC, at most 100 years ahead'
  WHEN expires<=due AND NEW.expires_at IS NOT NULL AND (NEW.run_at IS NOT NULL OR NEW.delay IS NOT NULL)
   THEN 'expires_at is not valid: it expires before it may run'
  WHEN NEW.timeout<=0 THEN 'timeout is not valid: it is not longer than zero'
  WHEN NEW.timeout>3153600000 THEN 'timeout is not valid: it is longer than 100 years'
  WHEN NEW.unique_key IS NOT NULL AND NEW.unique_hash IS NOT NULL
   THEN 'unique_key is not valid: there is unique_hash too, and only one of them can be'
  WHEN octet_length(NEW.unique_key)>1024 THEN 'unique_key is not valid: it has more than 1024 bytes'
  WHEN octet_length(NEW.unique_hash)<>32 THEN 'unique_hash is not valid: it does not have 32 bytes' END;
 IF why IS NULL AND NEW.parameters IS NOT NULL THEN
  BEGIN
   PERFORM NEW.parameters::json;
  EXCEPTION WHEN data_exception THEN
   why:='parameters is not valid: they are no JSON';
  END;
 END IF;
 IF why IS NOT NULL THEN RAISE EXCEPTION '%',why USING ERRCODE='invalid_parameter_value'; END IF;

 number:=nextval($name$task_queue_seq$name$);
 IF made IS NULL THEN
  -- The milliseconds, 25 bits of the order of enqueue, so that ids of the same millisecond sort by it, and 55 random bits.
  random:=(number&33554431)::integer::bit(25)
   ||('x'||overlay(replace(gen_random_uuid()::text,'-','') PLACING '' FROM 3 FOR 18))::bit(55);
  made:=(lpad(to_hex(created/1000),12,'0')||lpad(to_hex(substring(random FROM 1 FOR 16)::bit(16)::integer),4,'0')
   ||lpad(to_hex(substring(random FROM 17 FOR 64)::bit(64)::bigint),16,'0'))::uuid;
 END IF;
 hash:=NEW.unique_hash;
 IF NEW.unique_key IS NOT NULL THEN
  hash:=sha256(int8send(26)||convert_to(task_ulid(of_alias.id),'UTF8')||convert_to(NEW.unique_key,'UTF8'));
 END IF;
 IF hash IS NOT NULL THEN
  INSERT INTO task_unique(key_hash,task) VALUES(hash,number) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN NULL; END IF;
 END IF;
 INSERT INTO task_queue(seq,id,definition_id,queue,priority,run_at,max_attempts,created_at,updated_at,key_hash)
  VALUES(number,made,of_alias.id,coalesce(nullif(NEW.queue,''),'default'),coalesce(NEW.priority,0),due,coalesce(NEW.max_attempts,0),created,created,hash)
  ON CONFLICT(id) DO NOTHING;
 IF NOT FOUND THEN
  -- Somebody was faster.
  DELETE FROM task_unique WHERE key_hash=hash AND task=number;
  RETURN NULL;
 END IF;
 INSERT INTO task_payload(task,parameters,expires_at,timeout)
  VALUES(number,coalesce(NEW.parameters,'null'),expires,
   CASE WHEN NEW.timeout IS NOT NULL THEN greatest(1,round(NEW.timeout*1000000)) END);
 NEW.id:=task_ulid(made);
 NEW.queue:=coalesce(nullif(NEW.queue,''),'default');
 IF due<=created THEN
  INSERT INTO task_ready(queue,priority,run_at,task,definition_id) VALUES(NEW.queue,coalesce(NEW.priority,0),due,number,of_alias.id);
 ELSE
  INSERT INTO task_later(queue,priority,run_at,task,definition_id) VALUES(NEW.queue,coalesce(NEW.priority,0),due,number,of_alias.id);
 END IF;
 PERFORM pg_notify('taskstore_'||hashtextextended(TG_TABLE_SCHEMA||'.'||$name$task_queue$name$,0),
  NEW.queue||CASE WHEN due<=created THEN '' ELSE E'\t'||due END);
 RETURN NEW;
END $$;
CREATE TRIGGER task_enqueue_insert INSTEAD OF INSERT ON task_enqueue FOR EACH ROW EXECUTE FUNCTION task_enqueue_insert();

-- Whoever inserts need not have the schema in a search_path of theirs.
DO $do$ BEGIN
 EXECUTE format('ALTER FUNCTION %I() SET search_path=%I,pg_temp',$name$task_enqueue_insert$name$,current_schema());
END $do$;
