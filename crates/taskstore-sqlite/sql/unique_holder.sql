-- Who holds a unique key. CROSS JOIN fixes the order: the key first.
-- 1 key hash
SELECT q.id FROM task_unique u CROSS JOIN task_queue q ON q.seq=u.task WHERE u.key_hash=?1;
