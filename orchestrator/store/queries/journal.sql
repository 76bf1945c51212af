-- The one statement that writes execution state, and the reads that settle what a flush left unknown.

-- name: flush
-- Everything that happened since the last flush of this partition, in one statement and so in one commit. The rows
-- come as arrays of the types that the schema has for them.
--
-- `me` locks this replica's row FOR SHARE and every other part hangs on it. A takeover raises the epoch of that row
-- before it claims anything: it waits for a flush that has begun, and one that begins later finds no row and writes
-- nothing at all. So a stalled owner that wakes up cannot touch what is no longer its own.
--
-- `keys` goes first and in one order, so that two replicas that are given the same keys cannot deadlock. A submission
-- whose key is already there makes no execution: the caller reads the winner and compares the bodies.
--
-- `changed` is the compare-and-set: an execution is written only at the revision this owner wrote last. Its stages,
-- packets and queue rows hang on it, so an execution is written whole or not at all. The epoch alone names the owner,
-- since no two replicas ever share one.
--
-- The plan is made once, while the tables may be empty, and has to be right for ever. LATERAL ... OFFSET 0 leaves the
-- planner no choice but to look each row up by its key: joined freely, it starts from the rows of this epoch, which it
-- takes to be one, and compares every execution that this replica owns with every one that it writes. IN (SELECT ...)
-- IS TRUE is a hashed subplan: without IS TRUE it becomes a join of two lists, and compares every pair as well.
--
-- `used` is what keeps an artifact from being removed, and `touched` closes the race with a removal under way: it looks
-- at the row again that it waited for. Once an hour is enough, since nothing is removed before it is a day old, and an
-- artifact that all executions share must not make every flush wait for every other one.
WITH me AS MATERIALIZED (
    SELECT replica_id, epoch FROM replicas WHERE replica_id = $1 AND epoch = $2 FOR SHARE
), keys AS (
    INSERT INTO idempotency_keys (client_id, key, body_hash, execution_id)
    SELECT k.client_id, k.key, k.body_hash, k.execution_id
    FROM unnest($3::flushed_key[]) AS k, me
    ORDER BY k.client_id, k.key
    ON CONFLICT DO NOTHING
    RETURNING execution_id
), submitted AS (
    INSERT INTO pipeline_executions (execution_id, client_id, template_client_id, template, version, priority, input,
        input_sha256, request_id, retry_of, created_at, owner, owner_epoch)
    SELECT s.execution_id, s.client_id, s.template_client_id, s.template, s.version, s.priority, s.input,
        s.input_sha256, s.request_id, s.retry_of, s.created_at,
        CASE WHEN s.owned THEN me.replica_id END, CASE WHEN s.owned THEN me.epoch END
    FROM unnest($4::flushed_submission[]) AS s, me
    WHERE NOT s.keyed OR s.execution_id IN (SELECT execution_id FROM keys)
    RETURNING execution_id
), changed AS (
    UPDATE pipeline_executions AS e
    SET revision = c.revision, sequence = c.sequence, status = c.status, ending = c.ending, progress = c.progress,
        result = c.result, result_sha256 = c.result_sha256, error = c.error,
        cost_usd = c.cost_usd, tokens = c.tokens, started_at = c.started_at, finished_at = c.finished_at,
        owner = CASE WHEN c.kept THEN e.owner END, owner_epoch = CASE WHEN c.kept THEN e.owner_epoch END
    FROM unnest($5::flushed_change[]) AS c, me, LATERAL (
            SELECT p.ctid AS place FROM pipeline_executions AS p
            WHERE p.execution_id = c.execution_id AND p.revision = c.revision_was AND p.owner_epoch = me.epoch
            OFFSET 0
        ) AS found
    WHERE e.ctid = found.place
    RETURNING e.execution_id
), stages AS (
    INSERT INTO stage_executions AS t (execution_id, name, client_id, action, status, attempt, offer_round, fence,
        settled_fence, worker_id, message, progress, estimate, result, result_sha256, metrics, error,
        started_at, finished_at, yields, losses)
    SELECT s.execution_id, s.name, s.client_id, s.action, s.status, s.attempt, s.offer_round, s.fence,
        s.settled_fence, s.worker_id, s.message, s.progress, s.estimate, s.result, s.result_sha256,
        s.metrics, s.error, s.started_at, s.finished_at, s.yields, s.losses
    FROM unnest($6::flushed_stage[]) AS s
    WHERE s.execution_id IN (SELECT execution_id FROM changed)
        OR s.execution_id IN (SELECT execution_id FROM submitted)
    ON CONFLICT (execution_id, name) DO UPDATE
    SET status = excluded.status, attempt = excluded.attempt, offer_round = excluded.offer_round,
        fence = excluded.fence, settled_fence = excluded.settled_fence, worker_id = excluded.worker_id,
        message = excluded.message, progress = excluded.progress, estimate = excluded.estimate,
        result = excluded.result, result_sha256 = excluded.result_sha256, metrics = excluded.metrics,
        error = excluded.error, started_at = excluded.started_at, finished_at = excluded.finished_at,
        yields = excluded.yields, losses = excluded.losses
), conversations AS (
    INSERT INTO handshake_packets AS t (execution_id, fence, client_id, stage_name, attempt, worker_id, packets)
    SELECT p.execution_id, p.fence, p.client_id, p.stage_name, p.attempt, p.worker_id, p.packets
    FROM unnest($7::flushed_conversation[]) AS p
    WHERE (p.execution_id IN (SELECT execution_id FROM changed)) IS TRUE
    ON CONFLICT (execution_id, fence) DO UPDATE SET packets = excluded.packets
), queued AS (
    INSERT INTO execution_queue (execution_id, client_id, action, priority, started)
    SELECT q.execution_id, q.client_id, q.action, q.priority, q.started
    FROM unnest($8::flushed_queue_entry[]) AS q
    WHERE q.execution_id IN (SELECT execution_id FROM submitted)
        OR q.execution_id IN (SELECT execution_id FROM changed)
), artifacts AS (
    INSERT INTO data_references (client_id, sha256, bytes, content_type, location)
    SELECT a.client_id, a.sha256, a.bytes, 'application/json', a.location
    FROM unnest($9::flushed_artifact[]) AS a, me
    ORDER BY a.client_id, a.sha256
    ON CONFLICT DO NOTHING
), used AS (
    INSERT INTO artifact_uses (execution_id, client_id, sha256)
    SELECT u.execution_id, u.client_id, u.sha256
    FROM unnest($10::flushed_use[]) AS u
    WHERE (u.execution_id IN (SELECT execution_id FROM submitted)
            OR u.execution_id IN (SELECT execution_id FROM changed))
        AND (u.made OR EXISTS (
            SELECT FROM data_references AS d WHERE d.client_id = u.client_id AND d.sha256 = u.sha256 OFFSET 0))
    ON CONFLICT DO NOTHING
), touched AS (
    UPDATE data_references AS d
    SET used_at = now()
    FROM unnest($10::flushed_use[]) AS u, me, LATERAL (
            SELECT r.ctid AS place FROM data_references AS r
            WHERE r.client_id = u.client_id AND r.sha256 = u.sha256 AND r.used_at < now() - interval '1 hour'
            OFFSET 0
        ) AS found
    WHERE d.ctid = found.place
), consumed AS (
    DELETE FROM execution_inbox WHERE inbox_id = ANY ($11::bigint[]) AND EXISTS (SELECT FROM me)
)
SELECT (SELECT epoch FROM me) AS epoch,
    ARRAY(SELECT execution_id FROM submitted) AS submitted,
    ARRAY(SELECT execution_id FROM changed) AS changed;

-- name: standings
-- After a commit whose outcome is unknown: what stands there now, for the executions this owner tried to write.
SELECT execution_id, revision, owner_epoch FROM pipeline_executions WHERE execution_id = ANY ($1::text[]);

-- name: winners
-- Who holds the idempotency keys that a flush could not insert.
SELECT k.client_id, k.key, k.body_hash, k.execution_id
FROM unnest($1::text[], $2::text[]) AS lost (client_id, key)
JOIN idempotency_keys AS k USING (client_id, key);
