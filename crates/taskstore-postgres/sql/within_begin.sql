-- The beginning of work in a transaction of the caller's, after a savepoint: which server and database it is in, as `home` says
-- of the store's own, and how it is isolated. Who would wait for a lock for ever waits no longer than the store's own calls;
-- the last column says whether that was changed. No table is named: the caller's search_path is not the store's.
WITH w AS MATERIALIZED (SELECT current_setting('lock_timeout')='0' AS for_ever)
SELECT (extract(epoch FROM pg_postmaster_start_time())*1000000)::bigint,d.oid::bigint,current_setting('transaction_isolation'),
 CASE WHEN w.for_ever THEN set_config('lock_timeout','4s',true) END IS NOT NULL
 FROM w CROSS JOIN pg_database d WHERE d.datname=current_database();
