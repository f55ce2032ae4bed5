-- Everything that 0002_plain_sql made and nothing else; the trigger goes with its table.
DROP TABLE IF EXISTS task_enqueue;
