-- Every open request of the store, nearly always none: over a partial index that no plain end of a task touches.
SELECT id FROM task_queue WHERE cancel_at IS NOT NULL;
