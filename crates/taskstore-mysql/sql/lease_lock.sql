-- The lease rows of a settlement, by id: half of every fence, and first in the order of locks.
-- 1 leases as a JSON array of hexadecimal texts, in their order
SELECT l.lease,l.owner,l.length,l.claimed_at,l.open,l.alone,l.taken_from,l.beat FROM JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease) FOR UPDATE /*!80000 OF l */;
