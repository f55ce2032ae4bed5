-- The id alone, for a page of very many: neither parameters nor results are read.
-- 1 task
SELECT id FROM task_queue WHERE seq=?1;
