-- All attempts of a task that is purged: a range of the key, as task << 24 | turn.
-- 1 task
DELETE FROM task_result WHERE attempt BETWEEN ?1<<24 AND (?1<<24)+16777215;
