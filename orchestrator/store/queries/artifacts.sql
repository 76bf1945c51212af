-- Which artifacts a client has, and which store has their bytes.

-- name: keep
-- What was kept first stays: a reference that was handed out never changes what it means.
INSERT INTO data_references (client_id, sha256, bytes, content_type, location)
VALUES ($1, $2, $3, $4, '')
ON CONFLICT (client_id, sha256) DO UPDATE SET used_at = now();

-- name: find
SELECT sha256, bytes, content_type FROM data_references WHERE client_id = $1 AND sha256 = $2;

-- name: lock_store
SELECT pg_advisory_lock(hashtext('baton.artifacts'));

-- name: store
SELECT store_id, url, is_agreed FROM artifact_store;

-- name: propose_store
INSERT INTO artifact_store (store_id, url) VALUES ($1, $2)
ON CONFLICT (is_the_one) DO UPDATE SET store_id = excluded.store_id, url = excluded.url;

-- name: agree_on_store
-- Where it is may change: a folder may be moved, and is known by the id that it keeps.
UPDATE artifact_store SET url = $1, is_agreed = true WHERE url <> $1 OR NOT is_agreed;
