-- Hints from replica to replica, each in a transaction of its own.

-- name: tell
SELECT pg_notify($1, hint) FROM unnest($2::text[]) AS hint;

-- name: check
SELECT 1;
