-- What clients read. Every statement names the client.

-- name: find
SELECT * FROM pipeline_executions WHERE execution_id = $1 AND client_id = $2;

-- name: stages
SELECT * FROM stage_executions WHERE execution_id = $1;

-- name: list
SELECT execution_id, client_id, template, version, status, priority, progress, error, cost_usd, tokens, request_id,
    retry_of, created_at, started_at, finished_at
FROM pipeline_executions
WHERE client_id = $1
    AND ($2::text IS NULL OR status = $2)
    AND ($3::text IS NULL OR template = $3)
    AND ($4::text IS NULL OR execution_id < $4)
ORDER BY execution_id DESC
LIMIT $5;

-- name: packets
SELECT stage_name, fence, attempt, worker_id, packets FROM handshake_packets
WHERE execution_id = $1 AND client_id = $2;

-- name: client_of
SELECT client_id FROM pipeline_executions WHERE execution_id = $1;

-- name: owner_of
SELECT owner, owner_epoch FROM pipeline_executions WHERE execution_id = $1;

-- name: stage
SELECT * FROM stage_executions WHERE execution_id = $1 AND name = $2;

-- name: sequences
-- What is cheap to ask again and again for those who watch executions that another replica drives.
SELECT execution_id, sequence FROM pipeline_executions WHERE execution_id = ANY ($1::text[]);

-- name: waiting
-- The first 1,000 executions that no stage of has been accepted, in the order of work: those that a replica holds
-- ready, and the best of each action in the queue (actions are found by skipping through the index).
WITH RECURSIVE actions AS (
    (SELECT action FROM execution_queue ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT q.action FROM execution_queue AS q WHERE q.action > a.action ORDER BY q.action LIMIT 1)
    FROM actions AS a WHERE a.action IS NOT NULL
), waiting AS (
    SELECT q.execution_id, q.client_id, q.priority, q.started, q.action
    FROM actions AS a, LATERAL (
        SELECT * FROM execution_queue AS q WHERE q.action = a.action
        ORDER BY q.rank, q.execution_id LIMIT 1000
    ) AS q
    UNION ALL
    SELECT execution_id, client_id, priority, false, NULL FROM pipeline_executions
    WHERE owner IS NOT NULL AND status = 'queued'
)
SELECT execution_id, client_id, priority, action FROM waiting
ORDER BY priority DESC, started DESC, execution_id
LIMIT 1000;

-- name: ahead
-- How many executions of the queue go before a fresh one of this action and id; counting stops past 1,000.
-- $3 has the low-water marks, as for `claim` of ownership.sql: of the ranks up to its own. Every id sorts before '~'.
SELECT count(*) FROM (
    SELECT FROM unnest($3::text[]) WITH ORDINALITY AS mark (low, place), LATERAL (
        SELECT FROM execution_queue AS w
        WHERE w.action = $1 AND (w.rank, w.execution_id) >= ((mark.place - 1)::smallint, mark.low)
            AND (w.rank, w.execution_id)
                < ((mark.place - 1)::smallint, CASE WHEN mark.place < cardinality($3::text[]) THEN '~' ELSE $2 END)
        LIMIT 1001
    ) AS before
    LIMIT 1001
) AS before;

-- name: counts
SELECT count(*) FILTER (WHERE status IN ('running', 'waiting', 'paused')) AS running,
    count(*) FILTER (WHERE status = 'queued') AS queued
FROM pipeline_executions WHERE owner IS NOT NULL;

-- name: queue_length
SELECT count(*) AS queued, count(*) FILTER (WHERE priority >= 75) AS high_priority FROM execution_queue;

-- name: durations
-- How long recent stages took, by action, in milliseconds: where the moving averages start.
SELECT action, avg(extract(epoch FROM finished_at - started_at) * 1000)::float8 AS milliseconds
FROM (
    SELECT action, started_at, finished_at FROM stage_executions
    WHERE status = 'completed' AND started_at IS NOT NULL
    ORDER BY execution_id DESC LIMIT 500
) AS recent
GROUP BY action;
