-- Where the store is, for work on connections that it did not open: the server, by when it was started, the database, and the schema,
-- as SQL wants it written; NULL: there are no tables.
SELECT (extract(epoch FROM pg_postmaster_start_time())*1000000)::bigint,
 (SELECT d.oid::bigint FROM pg_database d WHERE d.datname=current_database()),
 (SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE c.oid=to_regclass($name$task_queue$name$));
