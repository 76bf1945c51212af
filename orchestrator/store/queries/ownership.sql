-- Who drives what: replicas and their leases, claims from the queue, takeovers. All leases are in database time.

-- name: register
-- A life of a replica begins: whatever an earlier life under this id still sends finds no row of its epoch.
INSERT INTO replicas (replica_id, epoch, url, lease_until)
VALUES ($1, nextval('replica_epochs'), $2, now() + $3::interval)
ON CONFLICT (replica_id) DO UPDATE
SET epoch = excluded.epoch, url = excluded.url, lease_until = excluded.lease_until, started_at = now()
RETURNING epoch;

-- name: renew
-- Returns how many other replicas live: alone, one may hold a longer stretch of the queue.
UPDATE replicas SET lease_until = now() + $3::interval WHERE replica_id = $1 AND epoch = $2
RETURNING (SELECT count(*) FROM replicas WHERE replica_id <> $1 AND lease_until > now());

-- name: others
-- The other replicas that live, and where they are reached.
SELECT replica_id, url FROM replicas WHERE replica_id <> $1 AND lease_until > now();

-- name: lapse
-- A clean stop: the lease ends at once, so that others need not wait for it.
UPDATE replicas SET lease_until = now() - interval '1 second' WHERE replica_id = $1 AND epoch = $2;

-- name: depose
-- The first half of a takeover: raise the epochs of replicas whose lease is over, before anything of theirs is touched.
UPDATE replicas SET epoch = nextval('replica_epochs'), lease_until = '-infinity'
WHERE replica_id <> $1 AND lease_until < now() AND lease_until > '-infinity'
RETURNING replica_id;

-- name: adopt
-- The second half: executions of deposed replicas, and of this replica's earlier lives, get this one as owner.
WITH me AS MATERIALIZED (
    SELECT replica_id, epoch FROM replicas WHERE replica_id = $1 AND epoch = $2 FOR SHARE
), c AS MATERIALIZED (
    SELECT e.execution_id
    FROM pipeline_executions AS e
    JOIN replicas AS r ON r.replica_id = e.owner
    WHERE e.owner IS NOT NULL AND e.owner_epoch <> r.epoch AND EXISTS (SELECT FROM me)
    ORDER BY e.execution_id
    LIMIT $3
    FOR UPDATE OF e SKIP LOCKED
)
UPDATE pipeline_executions AS e
SET owner = me.replica_id, owner_epoch = me.epoch, revision = e.revision + 1
FROM c, me
WHERE e.execution_id = c.execution_id
RETURNING e.*;

-- name: claim
-- The best n of one action, and no more: without MATERIALIZED the planner may run the LIMITed subquery once per row
-- and claim the whole queue. SKIP LOCKED lets replicas claim side by side.
--
-- $4 has a low-water mark for each rank, from 0: for priority 100 what was started, what is fresh, and so on. Below it
-- are only rows that were taken already, which stay in the index for as long as an old snapshot is open; one walk from
-- the front would go over all of them. store/low_water.py says why nothing is passed over. A rank where nothing waits
-- costs a microsecond. The ranks come as the array has them, so the outer LIMIT stops at the best.
WITH me AS MATERIALIZED (
    SELECT replica_id, epoch FROM replicas WHERE replica_id = $1 AND epoch = $2 FOR SHARE
), c AS MATERIALIZED (
    SELECT q.execution_id
    FROM me, unnest($4::text[]) WITH ORDINALITY AS mark (low, place), LATERAL (
        SELECT w.execution_id
        FROM execution_queue AS w
        WHERE w.action = $3 AND w.rank < mark.place
            AND (w.rank, w.execution_id) >= ((mark.place - 1)::smallint, mark.low)
        ORDER BY w.rank, w.execution_id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
    ) AS q
    LIMIT $5
), gone AS (
    DELETE FROM execution_queue AS q USING c WHERE q.execution_id = c.execution_id
)
UPDATE pipeline_executions AS e
SET owner = me.replica_id, owner_epoch = me.epoch, revision = e.revision + 1
FROM c, me
WHERE e.execution_id = c.execution_id
RETURNING e.*;

-- name: claim_one
-- One execution by its id, for a cancel, a pause or a signal that reaches work nobody owns yet.
WITH me AS MATERIALIZED (
    SELECT replica_id, epoch FROM replicas WHERE replica_id = $1 AND epoch = $2 FOR SHARE
), gone AS (
    DELETE FROM execution_queue WHERE execution_id = $3 AND EXISTS (SELECT FROM me) RETURNING execution_id
)
UPDATE pipeline_executions AS e
SET owner = me.replica_id, owner_epoch = me.epoch, revision = e.revision + 1
FROM gone, me
WHERE e.execution_id = gone.execution_id
RETURNING e.*;

-- name: stages
SELECT * FROM stage_executions WHERE execution_id = ANY ($1::text[]);

-- name: conversations
-- The packets of attempts that may still be alive, so that what follows is appended to them.
SELECT p.execution_id, p.fence, p.stage_name, p.attempt, p.worker_id, p.packets
FROM handshake_packets AS p
JOIN stage_executions AS s ON s.execution_id = p.execution_id AND s.name = p.stage_name AND s.fence = p.fence
WHERE p.execution_id = ANY ($1::text[]) AND s.status IN ('offered', 'running', 'cancelling');

-- name: send
-- A message for the execution's owner, if it has one that is not this replica.
INSERT INTO execution_inbox (execution_id, client_id, event)
SELECT execution_id, client_id, $3 FROM pipeline_executions
WHERE execution_id = $1 AND client_id = $2 AND owner IS NOT NULL
RETURNING execution_id;

-- name: inbox
SELECT i.inbox_id, i.execution_id, i.client_id, i.event
FROM execution_inbox AS i
JOIN pipeline_executions AS e USING (execution_id)
WHERE e.owner = $1 AND e.owner_epoch = $2
ORDER BY i.inbox_id
LIMIT $3;
