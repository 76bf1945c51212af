-- Which artifacts a client has. Their bytes are in the blob store.

-- name: keep
-- What was kept first stays: a reference that was handed out never changes what it means.
INSERT INTO data_references (client_id, sha256, bytes, content_type, location)
VALUES ($1, $2, $3, $4, '')
ON CONFLICT (client_id, sha256) DO UPDATE SET used_at = now();

-- name: find
SELECT sha256, bytes, content_type FROM data_references WHERE client_id = $1 AND sha256 = $2;
