-- Settled for the first time here, and some are left. The rows are locked.
-- 1 [[lease in hexadecimal, how many],..]
UPDATE JSON_TABLE(?,'$[*]' COLUMNS(lease CHAR(32) PATH '$[0]',n INT PATH '$[1]')) j
 STRAIGHT_JOIN task_lease l FORCE INDEX(PRIMARY) ON l.lease=UNHEX(j.lease) SET l.open=l.open-j.n;
