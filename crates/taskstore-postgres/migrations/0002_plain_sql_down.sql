-- Everything that 0002_plain_sql made and nothing else; the trigger goes with its view.
DROP VIEW IF EXISTS task_enqueue;
DROP FUNCTION IF EXISTS task_enqueue_insert();
DROP FUNCTION IF EXISTS task_enqueue_time(text);
