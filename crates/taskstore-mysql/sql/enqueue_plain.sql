-- For drivers of others: what a program would enqueue, as people do with plain SQL. NULL is the default. All of it is text, but for the hash.
-- 1 id 2 alias 3 parameters 4 queue 5 priority 6 delay 7 run_at 8 max_attempts 9 expires_in 10 expires_at 11 timeout 12 key hash
INSERT INTO task_enqueue(id,alias,parameters,queue,priority,delay,run_at,max_attempts,expires_in,expires_at,timeout,unique_hash)
 VALUES(?,?,?,?,?,?,?,?,?,?,?,?);
