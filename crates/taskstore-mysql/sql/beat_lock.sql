-- Never waits: what is locked here is beaten, what somebody else holds is busy. `open` lies outside the key, or MySQL would
-- read, and lock, a small table whole.
-- 1 leases as a JSON array of hexadecimal texts
SELECT l.lease,l.open FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease) FOR UPDATE /*!80000 OF l */ SKIP LOCKED;
