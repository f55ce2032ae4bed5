-- In how long the earliest of later is due; its primary key begins with run_at.
SELECT MIN(run_at) FROM task_later;
