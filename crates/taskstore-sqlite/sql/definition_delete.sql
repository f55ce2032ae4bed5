-- Deleted for good. The row stays for the alias that ended tasks show; status 2 hides it from everything else.
-- 1 id 2 now
UPDATE task_definition SET status=2,title='',description='',memo='',updated_at=?2,deleted_at=?2 WHERE id=?1 AND status<2;
