-- What a requeue must know of definitions: those that were deleted for good, or by hand, are not among them.
-- 1 ids
SELECT id FROM task_definition WHERE id=ANY($1::uuid[]) AND status<2;
