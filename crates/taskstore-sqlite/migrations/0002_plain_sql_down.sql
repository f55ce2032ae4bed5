-- Everything that 0002_plain_sql made and nothing else; the trigger goes with its view.
DROP VIEW IF EXISTS task_enqueue;
