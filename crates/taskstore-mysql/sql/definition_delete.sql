-- Deleted for good. The row stays for the alias that ended tasks show; status 2 hides it from everything else.
-- 1 now 2 now 3 id
UPDATE task_definition SET status=2,title='',description='',memo='',updated_at=?,deleted_at=? WHERE id=?;
