-- Nothing is open under it any more, or somebody took it over.
-- 1 lease
DELETE FROM task_lease WHERE lease=?1;
