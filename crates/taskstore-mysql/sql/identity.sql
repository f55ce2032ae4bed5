-- Which database of all this is, to compare a caller's connection with: by its name, and by when its tables were made, which two
-- servers do not share.
SELECT DATABASE(),(SELECT applied_at FROM task_migration ORDER BY version LIMIT 1);
