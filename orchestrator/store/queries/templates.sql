-- Master templates: published versions, which never change.

-- name: publish
INSERT INTO master_templates (client_id, name, version, content_hash, source, document)
VALUES ($1, $2, $3, $4, $5, $6::json);

-- name: lock
-- Keeps a concurrent publication of the same name out, so that versions have no gaps and no twins.
SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0));

-- name: latest
SELECT version, content_hash FROM master_templates
WHERE client_id = $1 AND name = $2
ORDER BY version DESC
LIMIT 1;

-- name: latest_sources
SELECT DISTINCT ON (name) source FROM master_templates
WHERE client_id = $1
ORDER BY name, version DESC;

-- name: hash_of
SELECT content_hash FROM master_templates WHERE client_id = $1 AND name = $2 AND version = $3;

-- name: find
-- The client's own template hides a shipped one of the same name; without a version, the latest.
SELECT client_id, name, version, source, document, content_hash, published_at FROM master_templates
WHERE client_id IN ($1, '') AND name = $2 AND ($3::int IS NULL OR version = $3)
ORDER BY client_id DESC, version DESC
LIMIT 1;

-- name: read
SELECT source FROM master_templates WHERE client_id = $1 AND name = $2 AND version = $3;

-- name: list
SELECT DISTINCT ON (name) client_id, name, version, document, published_at FROM master_templates
WHERE client_id IN ($1, '')
ORDER BY name, client_id DESC, version DESC;
