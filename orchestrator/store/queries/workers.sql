-- The worker registry.

-- name: register
-- Registering again refreshes; another instance_id replaces. A drained worker that registers anew is back.
INSERT INTO worker_registry (worker_id, instance_id, display_name, version, url, capabilities, slots, labels,
    resources, home, packet_arrays)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::json, $10, $11)
ON CONFLICT (worker_id) DO UPDATE
SET instance_id = excluded.instance_id, display_name = excluded.display_name, version = excluded.version,
    url = excluded.url, packet_arrays = excluded.packet_arrays, capabilities = excluded.capabilities,
    slots = excluded.slots, labels = excluded.labels,
    resources = excluded.resources, home = excluded.home, draining = false, home_since = clock_timestamp(),
    seen_at = now(),
    registered_at = CASE WHEN worker_registry.instance_id = excluded.instance_id
        THEN worker_registry.registered_at ELSE now() END
RETURNING home_since;

-- name: drain
UPDATE worker_registry SET draining = true WHERE worker_id = $1 RETURNING worker_id;

-- name: homeless
-- Workers that are reached by URL and whose home is this replica or one that no longer lives: it moves here.
UPDATE worker_registry AS w
SET home = $1, home_since = CASE WHEN w.home = $1 THEN w.home_since ELSE clock_timestamp() END
WHERE w.url IS NOT NULL AND NOT w.draining AND NOT EXISTS (
    SELECT FROM replicas AS r WHERE r.replica_id = w.home AND r.replica_id <> $1 AND r.lease_until > now())
RETURNING w.*;

-- name: list
SELECT * FROM worker_registry ORDER BY worker_id;
