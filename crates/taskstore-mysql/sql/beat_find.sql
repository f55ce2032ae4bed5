-- Those that could not be locked: there (busy) or not (lost). No lock.
-- 1 leases as a JSON array of hexadecimal texts
SELECT l.lease FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease);
