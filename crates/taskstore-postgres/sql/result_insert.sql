-- Why tasks were canceled that nobody ran: no owner.
-- 1 tasks 2 turns 3 status 4 now 5 reason
INSERT INTO task_result(task,turn,status,started_at,ended_at,owner,output,error)
 SELECT u.task,u.turn,$3::smallint,$4::bigint,$4,NULL,NULL,$5::text FROM unnest($1::bigint[],$2::int[]) u(task,turn);
