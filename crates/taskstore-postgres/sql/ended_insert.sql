-- Tasks that were canceled while they waited: what has ended is listed by when.
-- 1 tasks 2 status 3 completed_at 4 soft-deleted
INSERT INTO task_ended(status,deleted,completed_at,task) SELECT $2::smallint,$4::bool,$3::bigint,t FROM unnest($1::bigint[]) t;
