-- When the earliest of later is due, whose primary key begins with it, and the clock to measure that by.
SELECT (SELECT run_at FROM task_later ORDER BY run_at,task LIMIT 1),(extract(epoch FROM now())*1000000)::bigint;
