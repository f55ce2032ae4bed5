-- Deleted for good. The row stays for the alias that ended tasks show; status 2 hides it from everything else.
-- 1 id
UPDATE task_definition SET status=2,title='',description='',memo='',
 updated_at=(extract(epoch FROM now())*1000000)::bigint,deleted_at=(extract(epoch FROM now())*1000000)::bigint WHERE id=$1 AND status<2;
