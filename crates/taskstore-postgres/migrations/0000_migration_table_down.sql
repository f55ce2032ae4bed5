-- The book of migrations goes last.
DROP TABLE IF EXISTS task_migration;
