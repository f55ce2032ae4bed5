-- Takes a unique key, unless somebody holds it: no row changed. One lock serves the file, so nobody waits here.
-- 1 key hash 2 task
INSERT INTO task_unique(key_hash,task) VALUES(?1,?2) ON CONFLICT(key_hash) DO NOTHING;
