-- Sent first in a transaction of a caller's, as one text. Outside of one a savepoint is gone at once, and the second statement fails.
-- What follows is which database it is, the time, and what the session has set that would change what statements mean.
SAVEPOINT taskstore;
ROLLBACK TO SAVEPOINT taskstore;
SELECT DATABASE(),(SELECT applied_at FROM task_migration ORDER BY version LIMIT 1),
 TIMESTAMPDIFF(MICROSECOND,'1970-01-01 00:00:00',UTC_TIMESTAMP(6)),@@sql_mode,@@character_set_client,@@character_set_connection,
 @@character_set_results,@@collation_connection,@@sql_safe_updates,@@sql_select_limit;
