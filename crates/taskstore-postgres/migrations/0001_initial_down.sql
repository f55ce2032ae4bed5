-- Everything that 0001_initial made and nothing else; indexes and sequences go with their tables.
DROP VIEW IF EXISTS task;
DROP FUNCTION IF EXISTS task_uuid(text);
DROP FUNCTION IF EXISTS task_ulid(uuid);
DROP TABLE IF EXISTS task_queue_state;
DROP TABLE IF EXISTS task_ended;
DROP TABLE IF EXISTS task_aside;
DROP TABLE IF EXISTS task_unique;
DROP TABLE IF EXISTS task_log;
DROP TABLE IF EXISTS task_result;
DROP TABLE IF EXISTS task_lease_tasks;
DROP TABLE IF EXISTS task_lease;
DROP TABLE IF EXISTS task_later;
DROP TABLE IF EXISTS task_ready;
DROP TABLE IF EXISTS task_payload;
DROP TABLE IF EXISTS task_queue;
DROP TABLE IF EXISTS task_definition;
