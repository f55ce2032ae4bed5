-- The clock that everything is stamped with.
SELECT (extract(epoch FROM now())*1000000)::bigint;
