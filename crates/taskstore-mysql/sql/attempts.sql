-- How the attempts of one task ended, by the range of its keys. Without an owner nobody ran it: no attempt.
-- 1 task
SELECT turn,status,owner,started_at,ended_at,output,error FROM task_result FORCE INDEX(PRIMARY) WHERE task=? AND owner IS NOT NULL ORDER BY turn;
