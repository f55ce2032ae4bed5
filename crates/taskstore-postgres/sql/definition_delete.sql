-- Deleted for good. The row stays for the alias that ended tasks show; status 2 hides it from everything else.
-- 1 id 2 now or NULL
UPDATE task_definition SET status=2,title='',description='',memo='',updated_at=x.now,deleted_at=x.now
 FROM (SELECT COALESCE($2::bigint,(extract(epoch FROM now())*1000000)::bigint) AS now) x WHERE id=$1 AND status<2;
