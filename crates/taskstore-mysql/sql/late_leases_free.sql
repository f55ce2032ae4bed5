-- Of those the ones that nobody holds: a beat could not have been written there, so the watch of the others begins anew. Each
-- vendor knows one way to lock for reading and skip; the other's is a comment to it.
-- 1 leases as a JSON array of hexadecimal texts
SELECT l.lease,l.beat,l.length FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease) /*M! LOCK IN SHARE MODE */ /*!80000 FOR SHARE OF l */ SKIP LOCKED;
