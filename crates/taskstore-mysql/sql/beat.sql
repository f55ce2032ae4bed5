-- One more beat for each lease that was locked just before.
-- 1 leases as a JSON array of hexadecimal texts
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease)
 SET l.beat=l.beat+1,l.beat_at=CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED);
