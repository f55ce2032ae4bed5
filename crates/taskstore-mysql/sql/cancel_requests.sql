-- Every open request of the store, nearly always none, from a table of its own: no index on the record.
SELECT id FROM task_cancel;
