-- Who sends this process's notices, so that it does not hear its own.
SELECT pg_backend_pid();
