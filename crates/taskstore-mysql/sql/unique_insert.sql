-- Takes unique keys, in their order. Not INSERT IGNORE, whose shared locks deadlock: this one locks a key that is held for itself.
-- key hash, task id
INSERT INTO task_unique(key_hash,task_id) VALUES(?,?) ON DUPLICATE KEY UPDATE task_id=task_unique.task_id;
