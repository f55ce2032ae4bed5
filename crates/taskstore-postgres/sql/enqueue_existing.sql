-- Only for positions that enqueue did not store. A statement of its own: its snapshot sees whoever was waited for. The id is
-- there: it was sent before. A holder: it is a duplicate, unless the holder has ended (a repeated enqueue that waited for
-- another key may leave that behind). Neither: the holder has ended just now.
-- 1 ids 2 key hashes or NULL
SELECT u.n::int,(SELECT true FROM task_queue o WHERE o.id=u.i LIMIT 1) IS TRUE,t.id,k.task IS NOT NULL AND COALESCE(t.status,2) BETWEEN 2 AND 4
 FROM unnest($1::uuid[],$2::bytea[]) WITH ORDINALITY u(i,h,n)
 LEFT JOIN task_unique k ON k.key_hash=u.h LEFT JOIN task_queue t ON t.seq=k.task ORDER BY u.n;
