-- People enqueue with one statement: INSERT INTO task_enqueue(alias,parameters) VALUES('email.send','{"to":"x"}').
-- From any connection and any language, inside any transaction. A view cannot have a trigger here, so task_enqueue is a table: its
-- trigger stores the task, and leaves a row with nothing but its id, which runners clear away. Columns take any text, so that
-- the trigger, and not a conversion that depends on the session's sql_mode, refuses a value that cannot be.
--
-- Sent again (its id is there) it changes nothing, and neither does one whose key is held. Both are looked for first.
CREATE TABLE IF NOT EXISTS task_enqueue(
 n BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
 id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, alias VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 parameters LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, queue VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 priority VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, delay VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 run_at VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, max_attempts VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 expires_in VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, expires_at VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 timeout VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, unique_key TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
 unique_hash VARBINARY(255) NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

DROP TRIGGER IF EXISTS task_enqueue_insert;
CREATE TRIGGER task_enqueue_insert BEFORE INSERT ON task_enqueue FOR EACH ROW
BEGIN
 DECLARE v_bad VARCHAR(128) CHARACTER SET utf8mb4 DEFAULT NULL;
 DECLARE v_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
 DECLARE v_definition BIGINT DEFAULT NULL;
 DECLARE v_scope CHAR(26) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
 DECLARE v_status INT DEFAULT NULL;
 DECLARE v_now BIGINT;
 DECLARE v_run_at BIGINT;
 DECLARE v_expires_at BIGINT DEFAULT NULL;
 DECLARE v_timeout BIGINT DEFAULT NULL;
 DECLARE v_key VARBINARY(32) DEFAULT NULL;
 DECLARE v_holder CHAR(26) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
 DECLARE v_task BIGINT DEFAULT NULL;
 DECLARE v_priority INT DEFAULT 0;
 DECLARE v_attempts INT DEFAULT 0;
 DECLARE v_queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT 'default';
 DECLARE v_number VARCHAR(64) CHARACTER SET utf8mb4 DEFAULT '^[0-9]{1,19}([.][0-9]{1,30})?$';
 DECLARE v_time VARCHAR(255) CHARACTER SET utf8mb4 DEFAULT '^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?)?$';
 DECLARE v_micros CHAR(32) CHARACTER SET utf8mb4;
 DECLARE v_zone INT;
 DECLARE v_ms BIGINT;
 DECLARE v_order BIGINT;
 DECLARE v_made VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin;

 IF NEW.id IS NOT NULL THEN
  IF CHAR_LENGTH(NEW.id)<>26 OR UPPER(NEW.id) REGEXP '[^0-9A-HJKMNP-TV-Z]' OR LEFT(NEW.id,1) REGEXP '[^0-7]' THEN
   SET v_bad='id is not valid: it is not a ULID';
  ELSE
   SET v_id=UPPER(NEW.id);
   SELECT seq INTO v_task FROM task_queue WHERE id=v_id;
  END IF;
 END IF;
 IF v_bad IS NULL AND v_task IS NULL THEN
  SELECT seq,id,status INTO v_definition,v_scope,v_status FROM task_definition
   WHERE live_alias=CASE WHEN NEW.alias REGEXP '[^!-~]' THEN NULL ELSE CONVERT(NEW.alias USING ascii) END;
  SET v_bad=CASE
   WHEN NEW.alias IS NULL THEN 'alias is not valid: it is missing'
   WHEN v_definition IS NULL OR v_status=2 THEN 'alias is not valid: no task definition has it: it is made when its handler is registered'
   WHEN v_status<>0 THEN 'task definition is not valid: it is canceled'
   WHEN LENGTH(NEW.parameters)>1048576 THEN 'parameters is not valid: they have more than 1048576 bytes'
   WHEN NEW.parameters IS NOT NULL AND NOT JSON_VALID(NEW.parameters) THEN 'parameters is not valid: they are no JSON'
   WHEN CHAR_LENGTH(NEW.queue)>64 THEN 'queue is not valid: it is longer than 64 characters'
   WHEN NEW.queue REGEXP '[^!-~]' THEN 'queue is not valid: it may have visible ASCII characters only'
   WHEN NEW.priority IS NOT NULL AND (NOT NEW.priority REGEXP '^-?[0-9]{1,5}$' OR NEW.priority+0 NOT BETWEEN -32768 AND 32767)
    THEN 'priority is not valid: it is not a whole number between -32768 and 32767'
   WHEN NEW.delay LIKE '-%' THEN 'delay is not valid: it is negative'
   WHEN NOT NEW.delay REGEXP v_number THEN 'delay is not valid: it is not a number of seconds'
   WHEN NEW.delay+0>3153600000 THEN 'delay is not valid: it is longer than 100 years'
   WHEN NEW.run_at IS NOT NULL AND NEW.delay IS NOT NULL THEN 'run_at is not valid: there is a delay too, and only one of them can be'
   WHEN NOT NEW.run_at REGEXP v_time OR SUBSTR(NEW.run_at,9,2)>DAY(LAST_DAY(CONCAT(LEFT(NEW.run_at,7),'-01')))
    THEN 'run_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC'
   WHEN NEW.max_attempts IS NOT NULL AND (NOT NEW.max_attempts REGEXP '^[0-9]{1,5}$' OR NEW.max_attempts+0 NOT BETWEEN 1 AND 10000)
    THEN 'max_attempts is not valid: it is not a whole number between 1 and 10000'
   WHEN NEW.expires_in LIKE '-%' OR (NEW.expires_in REGEXP v_number AND NEW.expires_in+0=0) THEN 'expires_in is not valid: nothing could ever start'
   WHEN NOT NEW.expires_in REGEXP v_number THEN 'expires_in is not valid: it is not a number of seconds'
   WHEN NEW.expires_in+0>3153600000 THEN 'expires_in is not valid: it is longer than 100 years'
   WHEN NEW.expires_at IS NOT NULL AND NEW.expires_in IS NOT NULL
    THEN 'expires_at is not valid: there is expires_in too, and only one of them can be'
   WHEN NOT NEW.expires_at REGEXP v_time OR SUBSTR(NEW.expires_at,9,2)>DAY(LAST_DAY(CONCAT(LEFT(NEW.expires_at,7),'-01')))
    THEN 'expires_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC'
   WHEN NEW.timeout LIKE '-%' OR (NEW.timeout REGEXP v_number AND NEW.timeout+0=0) THEN 'timeout is not valid: it is not longer than zero'
   WHEN NOT NEW.timeout REGEXP v_number THEN 'timeout is not valid: it is not a number of seconds'
   WHEN NEW.timeout+0>3153600000 THEN 'timeout is not valid: it is longer than 100 years'
   WHEN LENGTH(NEW.unique_key)>1024 THEN 'unique_key is not valid: it has more than 1024 bytes'
   WHEN NEW.unique_key IS NOT NULL AND NEW.unique_hash IS NOT NULL
    THEN 'unique_hash is not valid: there is a unique_key too, and only one of them can be'
   WHEN LENGTH(NEW.unique_hash)<>32 THEN 'unique_hash is not valid: it has no 32 bytes'
  END;
 END IF;
 IF v_bad IS NULL AND v_task IS NULL THEN
  -- UTC_TIMESTAMP and not UNIX_TIMESTAMP, which an hour of summer time would make ambiguous in the session's zone.
  SET v_now=TIMESTAMPDIFF(MICROSECOND,'1970-01-01 00:00:00',UTC_TIMESTAMP(6));
  SET v_run_at=v_now;
  IF NEW.delay IS NOT NULL THEN SET v_run_at=v_now+CAST(ROUND(CAST(NEW.delay AS DECIMAL(32,9))*1000000) AS SIGNED); END IF;
  IF NEW.run_at IS NOT NULL THEN
   SET v_zone=CASE WHEN NEW.run_at REGEXP '[+-][0-9]{2}:[0-9]{2}$' AND CHAR_LENGTH(NEW.run_at)>16
    THEN CONCAT(SUBSTR(NEW.run_at,-6,1),SUBSTR(NEW.run_at,-5,2)*60+SUBSTR(NEW.run_at,-2)) ELSE 0 END;
   SET v_micros=REPLACE(CASE WHEN v_zone<>0 OR NEW.run_at REGEXP '[+-]00:00$' THEN LEFT(NEW.run_at,CHAR_LENGTH(NEW.run_at)-6) ELSE REPLACE(NEW.run_at,'Z','') END,'T',' ');
   SET v_run_at=TIMESTAMPDIFF(MICROSECOND,'1970-01-01 00:00:00',CAST(v_micros AS DATETIME(6)))-v_zone*60000000;
  END IF;
  IF NEW.expires_in IS NOT NULL THEN SET v_expires_at=v_now+CAST(ROUND(CAST(NEW.expires_in AS DECIMAL(32,9))*1000000) AS SIGNED); END IF;
  IF NEW.expires_at IS NOT NULL THEN
   SET v_zone=CASE WHEN NEW.expires_at REGEXP '[+-][0-9]{2}:[0-9]{2}$' AND CHAR_LENGTH(NEW.expires_at)>16
    THEN CONCAT(SUBSTR(NEW.expires_at,-6,1),SUBSTR(NEW.expires_at,-5,2)*60+SUBSTR(NEW.expires_at,-2)) ELSE 0 END;
   SET v_micros=REPLACE(CASE WHEN v_zone<>0 OR NEW.expires_at REGEXP '[+-]00:00$' THEN LEFT(NEW.expires_at,CHAR_LENGTH(NEW.expires_at)-6) ELSE REPLACE(NEW.expires_at,'Z','') END,'T',' ');
   SET v_expires_at=TIMESTAMPDIFF(MICROSECOND,'1970-01-01 00:00:00',CAST(v_micros AS DATETIME(6)))-v_zone*60000000;
  END IF;
  IF NEW.timeout IS NOT NULL THEN SET v_timeout=GREATEST(1,CAST(ROUND(CAST(NEW.timeout AS DECIMAL(32,9))*1000000) AS SIGNED)); END IF;
  SET v_bad=CASE
   WHEN NEW.run_at IS NOT NULL AND v_run_at>v_now+3153600000000000
    THEN 'run_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC, at most 100 years ahead'
   WHEN NEW.expires_at IS NOT NULL AND v_expires_at>v_now+3153600000000000
    THEN 'expires_at is not valid: it is not a time such as 2026-03-01 07:00:00, in UTC, at most 100 years ahead'
   WHEN v_expires_at<=v_run_at AND NEW.expires_at IS NOT NULL AND (NEW.run_at IS NOT NULL OR NEW.delay IS NOT NULL)
    THEN 'expires_at is not valid: it expires before it may run'
   WHEN v_expires_at<=v_run_at AND NEW.expires_in IS NOT NULL THEN 'expires_in is not valid: it expires before it may run'
  END;
 END IF;
 IF v_bad IS NOT NULL THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT=v_bad; END IF;

 IF v_task IS NULL THEN
  IF v_id IS NULL THEN
   -- Its milliseconds, then 25 bits of the order of enqueue, so that ids of the same millisecond sort by it, then 55 random bits.
   SET v_ms=v_now DIV 1000;
   SET v_order=(SELECT COALESCE(MAX(seq),0)+1 FROM task_queue);
   SET v_made='';
   WHILE CHAR_LENGTH(v_made)<26 DO
    SET v_made=CONCAT(v_made,SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ',1+CASE
      WHEN CHAR_LENGTH(v_made)<10 THEN (v_ms>>(45-5*CHAR_LENGTH(v_made)))&31
      WHEN CHAR_LENGTH(v_made)<15 THEN (v_order>>(70-5*CHAR_LENGTH(v_made)))&31
      ELSE FLOOR(RAND()*32) END,1));
   END WHILE;
   SET v_id=v_made;
  END IF;
  SET v_key=CASE WHEN NEW.unique_key IS NOT NULL
   THEN UNHEX(SHA2(CONCAT(X'000000000000001A',CAST(v_scope AS BINARY),CAST(NEW.unique_key AS BINARY)),256)) ELSE NEW.unique_hash END;
  IF v_key IS NOT NULL THEN
   INSERT INTO task_unique(key_hash,task_id) VALUES(v_key,v_id) ON DUPLICATE KEY UPDATE task_id=task_unique.task_id;
   SELECT task_id INTO v_holder FROM task_unique WHERE key_hash=v_key FOR UPDATE;
  END IF;
  IF v_holder IS NULL OR v_holder=v_id THEN
   IF NEW.priority IS NOT NULL THEN SET v_priority=NEW.priority; END IF;
   IF NEW.max_attempts IS NOT NULL THEN SET v_attempts=NEW.max_attempts; END IF;
   IF NEW.queue<>'' THEN SET v_queue=NEW.queue; END IF;
   INSERT INTO task_queue(id,definition_id,queue,priority,run_at,max_attempts,created_at,updated_at,key_hash)
    VALUES(v_id,v_definition,v_queue,v_priority,v_run_at,v_attempts,v_now,v_now,v_key);
   SET v_task=LAST_INSERT_ID();
   INSERT INTO task_payload(task,parameters,expires_at,timeout) VALUES(v_task,COALESCE(NEW.parameters,'null'),v_expires_at,v_timeout);
   IF v_run_at<=v_now THEN
    INSERT INTO task_ready(queue,priority,run_at,task,definition_id) VALUES(v_queue,v_priority,v_run_at,v_task,v_definition);
   ELSE
    INSERT INTO task_later(queue,priority,run_at,task,definition_id) VALUES(v_queue,v_priority,v_run_at,v_task,v_definition);
   END IF;
  ELSE
   SET v_id=NULL;
  END IF;
 END IF;
 SET NEW.id=v_id,NEW.alias=NULL,NEW.parameters=NULL,NEW.queue=NULL,NEW.priority=NULL,NEW.delay=NULL,NEW.run_at=NULL,NEW.max_attempts=NULL,
  NEW.expires_in=NULL,NEW.expires_at=NULL,NEW.timeout=NULL,NEW.unique_key=NULL,NEW.unique_hash=NULL;
END;
