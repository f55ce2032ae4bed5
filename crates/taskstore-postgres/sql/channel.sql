-- The channel of a store: one for each schema and prefix, as short as a channel must be. No row: there are no tables.
-- 1 the record's table
SELECT 'taskstore_'||hashtextextended(n.nspname||'.'||c.relname,0) FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace
 WHERE c.oid=to_regclass($1::text);
