-- Whether the list of a lease has this task at this turn: what is left of the fence where a claim was made elsewhere.
-- 1 lease 2 task 3 turn
SELECT 1 FROM task_lease_tasks WHERE lease=?1 AND json_extract(tasks,'$."'||?2||'"')=?3;
