-- Before definition_lock: while that waits for a transaction which has enqueued, everybody who enqueues or settles waits behind it.
-- So it waits for a moment, and is tried again.
SELECT set_config('lock_timeout','250',true);
