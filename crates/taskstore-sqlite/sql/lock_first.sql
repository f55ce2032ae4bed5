-- Changes nothing and takes the lock, in a transaction of the caller's that may not have it yet: one that has read before it
-- writes is refused it at once, whatever its busy timeout.
DELETE FROM task_ready WHERE 0;
