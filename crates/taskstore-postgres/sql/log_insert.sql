-- A line sent again is kept once.
-- 1 tasks 2 turns 3 n 4 at 5 levels 6 lines
INSERT INTO task_log(task,turn,n,at,level,line) SELECT * FROM unnest($1::bigint[],$2::int[],$3::int[],$4::bigint[],$5::smallint[],$6::text[]) u(task,turn,n,at,level,line)
 ORDER BY task,turn,n ON CONFLICT DO NOTHING;
