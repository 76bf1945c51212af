-- What is over is removed: a batch a statement, found by an index, however much there is. Ages are in database time.

-- name: lead
-- One replica at a time removes. Returns a row if it is this one, from now on for the length of the lease.
INSERT INTO housekeeping AS h (name, replica_id, lease_until) VALUES ('retention', $1, now() + $2::interval)
ON CONFLICT (name) DO UPDATE
SET replica_id = excluded.replica_id, lease_until = excluded.lease_until
WHERE h.replica_id = excluded.replica_id OR h.lease_until < now()
RETURNING true;

-- name: executions
-- The next executions after $2, in the order in which they were made: those that ended longer ago than $1 go, with all
-- that belongs to them. No index on the end of executions is needed, which every flush would pay for: what was made
-- within that time cannot have ended before it, so one pass stops where `all_young` begins.
WITH seen AS MATERIALIZED (
    SELECT execution_id, created_at, finished_at FROM pipeline_executions
    WHERE execution_id > $2
    ORDER BY execution_id
    LIMIT $3
), gone AS (
    DELETE FROM pipeline_executions AS e USING seen AS s
    WHERE e.execution_id = s.execution_id AND s.finished_at < now() - $1::interval
    RETURNING e.execution_id
), stages AS (
    DELETE FROM stage_executions AS t USING gone WHERE t.execution_id = gone.execution_id
), packets AS (
    DELETE FROM handshake_packets AS t USING gone WHERE t.execution_id = gone.execution_id
), keys AS (
    DELETE FROM idempotency_keys AS t USING gone WHERE t.execution_id = gone.execution_id
), uses AS (
    DELETE FROM artifact_uses AS t USING gone WHERE t.execution_id = gone.execution_id
)
SELECT (SELECT max(execution_id) FROM seen) AS last,
    (SELECT count(*) FROM seen) AS seen,
    (SELECT count(*) FROM gone) AS gone,
    (SELECT coalesce(bool_and(created_at >= now() - $1::interval), true) FROM seen) AS all_young;

-- name: references
-- References that were not used for the time $1. One that an execution or a template still refers to is looked at again
-- a day later. A flush that begins to use one of them meanwhile has it locked or will wait: the conditions on `d` are
-- looked at again on the row as the flush left it.
WITH old AS MATERIALIZED (
    SELECT client_id, sha256 FROM data_references
    WHERE used_at < now() - $1::interval
    ORDER BY used_at
    LIMIT $2
), judged AS MATERIALIZED (
    SELECT o.client_id, o.sha256,
        EXISTS (SELECT FROM artifact_uses AS u WHERE u.client_id = o.client_id AND u.sha256 = o.sha256)
        OR EXISTS (SELECT FROM master_templates AS t
            WHERE t.client_id = o.client_id AND strpos(t.source, o.sha256) > 0) AS is_used
    FROM old AS o
), kept AS (
    UPDATE data_references AS d SET used_at = now() - $1::interval + interval '1 day' FROM judged AS j
    WHERE d.client_id = j.client_id AND d.sha256 = j.sha256 AND j.is_used AND d.used_at < now() - $1::interval
), gone AS (
    DELETE FROM data_references AS d USING judged AS j
    WHERE d.client_id = j.client_id AND d.sha256 = j.sha256 AND NOT j.is_used AND d.used_at < now() - $1::interval
    RETURNING 1
)
SELECT (SELECT count(*) FROM old) AS seen, (SELECT count(*) FROM gone) AS gone;

-- name: unreferenced
-- Which of these stored artifacts nobody has a reference to.
SELECT s.client_id, s.sha256 FROM unnest($1::text[], $2::text[]) AS s (client_id, sha256)
WHERE NOT EXISTS (SELECT FROM data_references AS d WHERE d.client_id = s.client_id AND d.sha256 = s.sha256);

-- name: sessions
WITH gone AS (
    DELETE FROM user_sessions
    WHERE token_hash = ANY (ARRAY(
        SELECT token_hash FROM user_sessions WHERE expires_at <= now() ORDER BY expires_at LIMIT $1))
    RETURNING 1
)
SELECT count(*) AS gone FROM gone;

-- name: messages
-- What was left for an owner that had ended the execution by then: nobody will read it.
WITH gone AS (
    DELETE FROM execution_inbox
    WHERE inbox_id = ANY (ARRAY(
        SELECT i.inbox_id FROM execution_inbox AS i LEFT JOIN pipeline_executions AS e USING (execution_id)
        WHERE i.created_at < now() - interval '1 hour' AND (e.execution_id IS NULL OR e.finished_at IS NOT NULL)
        ORDER BY i.inbox_id
        LIMIT $1))
    RETURNING 1
)
SELECT count(*) AS gone FROM gone;

-- name: seen
-- Workers in reach, so that they are not taken for dead; to the hour.
UPDATE worker_registry SET seen_at = now()
WHERE worker_id = ANY ($1::text[]) AND seen_at < now() - interval '1 hour';

-- name: workers
WITH gone AS (
    DELETE FROM worker_registry
    WHERE worker_id = ANY (ARRAY(
        SELECT worker_id FROM worker_registry WHERE seen_at < now() - $1::interval ORDER BY seen_at LIMIT $2))
    RETURNING 1
)
SELECT count(*) AS gone FROM gone;

-- name: replicas
-- Replicas that were deposed and whose executions have all been taken over.
DELETE FROM replicas AS r
WHERE r.lease_until < now() - $1::interval AND r.started_at < now() - $1::interval
    AND NOT EXISTS (SELECT FROM pipeline_executions AS e WHERE e.owner = r.replica_id);
