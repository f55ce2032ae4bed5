-- The ids alone, for a page of very many: neither parameters nor results are read.
-- 1 tasks, as a JSON array
SELECT t.seq,t.id FROM JSON_TABLE(?,'$[*]' COLUMNS(seq BIGINT PATH '$')) e STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=e.seq;
