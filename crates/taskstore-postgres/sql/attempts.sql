-- How the attempts of one task ended, and last a success without output, which has no row of its own: its times are the record's.
-- Without an owner nobody ran it: no attempt. One statement, so that all of it is of one moment.
-- 1 id
SELECT x.turn,x.status,x.owner,x.started_at,x.ended_at,x.output,x.error
 FROM task_queue t JOIN task_result x ON x.task=t.seq WHERE t.id=$1 AND x.owner IS NOT NULL
UNION ALL SELECT t.turn-1,t.status,NULL,coalesce(t.started_at,t.completed_at,0),coalesce(t.completed_at,0),NULL,NULL
 FROM task_queue t WHERE t.id=$1 AND t.status=2
 AND NOT EXISTS(SELECT 1 FROM task_result x WHERE x.task=t.seq AND x.turn=t.turn-1 AND x.owner IS NOT NULL)
ORDER BY 1;
