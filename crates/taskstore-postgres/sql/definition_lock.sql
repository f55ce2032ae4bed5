-- Before a look whether it is needed, which is a statement of its own with a newer snapshot: an enqueue and a requeue hold it FOR
-- KEY SHARE, so those that came first are seen, and those that come later find it gone. No row: it is not there.
-- 1 id
SELECT id FROM task_definition WHERE id=$1 AND status<2 FOR UPDATE;
