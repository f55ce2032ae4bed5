-- Under the lock, by which it was seen to be as expected: a count of changed rows cannot say so, for nothing may have changed.
-- 1 alias 2 title 3 description 4 memo 5 status 6 created_at 7 updated_at 8 deleted_at or 0 9 id
UPDATE task_definition SET alias=?,title=?,description=?,memo=?,status=?,created_at=?,updated_at=?,deleted_at=? WHERE id=?;
