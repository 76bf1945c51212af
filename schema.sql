-- Baton's whole schema, applied in one transaction to an empty database (PostgreSQL 15 or newer).
--
-- Conventions: ids are text, start with their kind and sort by time (ULID). client_id is in every row that belongs to
-- a tenant and in every query. `json` is only carried, `jsonb` is queried. Payloads over 64 KiB are artifacts: the row
-- holds their SHA-256 and data_references says where the bytes are. There are no foreign keys on the hot
-- tables: they cost three quarters of PostgreSQL's time there, and the journal is their only writer.

-- One version of the schema per database; the orchestrator refuses one that it does not know.
CREATE TABLE schema_version (version integer PRIMARY KEY);
INSERT INTO schema_version VALUES (1);

-- ---------------------------------------------------------------------------------------------------- replicas
-- Epochs come from one sequence, so no two lives of any replica ever share one, and a fence (epoch << 32 | counter)
-- is never issued twice.
CREATE SEQUENCE replica_epochs AS bigint MINVALUE 1 MAXVALUE 2097151;

-- Every flush reads its own row FOR SHARE and hangs on its epoch. A takeover raises the epoch first: it waits for
-- flushes under way, and whatever the old owner sends afterwards writes nothing.
CREATE TABLE replicas (
    replica_id  text COLLATE "C" PRIMARY KEY,
    epoch       bigint      NOT NULL,
    url         text        NOT NULL,
    lease_until timestamptz NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------------------------------------------- accounts
CREATE TABLE clients (
    client_id  text COLLATE "C" PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A key is kept as its SHA-256 only; key_id is how people speak of it. Revoking is for ever.
CREATE TABLE api_keys (
    key_id     text COLLATE "C" PRIMARY KEY,
    key_hash   bytea       NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    client_id  text COLLATE "C" NOT NULL REFERENCES clients,
    name       text        NOT NULL,
    scopes     text[]      NOT NULL CHECK (cardinality(scopes) > 0
        AND scopes <@ ARRAY['read', 'execute', 'templates', 'admin']),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX keys_of_client ON api_keys (client_id, key_id);

CREATE TABLE users (
    user_id       text COLLATE "C" PRIMARY KEY,
    client_id     text COLLATE "C" NOT NULL REFERENCES clients,
    email         text COLLATE "C" NOT NULL UNIQUE, -- trimmed, NFC, lower case: one spelling a user
    password_hash text        NOT NULL, -- argon2id
    role          text        NOT NULL CHECK (role IN ('admin', 'client', 'support')),
    status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_sessions (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id    text COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_expiry ON user_sessions (expires_at);

-- The secrets that workers may show, as their SHA-256: more than one while a secret is being changed.
CREATE TABLE worker_secrets (
    secret_hash bytea PRIMARY KEY CHECK (length(secret_hash) = 32),
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- --------------------------------------------------------------------------------------------------- templates
-- Published versions never change. client_id '' is the shipped namespace; a client's own name hides a shipped one.
CREATE TABLE master_templates (
    client_id    text COLLATE "C" NOT NULL,
    name         text COLLATE "C" NOT NULL,
    version      integer     NOT NULL CHECK (version > 0),
    content_hash text        NOT NULL,
    source       text        NOT NULL,
    document     json        NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client_id, name, version)
);

-- --------------------------------------------------------------------------------------------------- executions
-- queued  -> running | waiting | paused | failed | cancelled
-- running -> waiting | paused | completed | failed | cancelled
-- waiting -> running | paused | completed | failed | cancelled
-- paused  -> queued | running | waiting | failed | cancelled
-- completed, failed, cancelled: final. `ending` is the final status that a failure or a cancel has already decided
-- while attempts are still being stopped.
--
-- owner and owner_epoch name the replica that drives the execution; both null: it waits in execution_queue.
-- revision is the compare-and-set of the journal: each flush that touches the row raises it by one.
CREATE TABLE pipeline_executions (
    execution_id text COLLATE "C" PRIMARY KEY,
    client_id    text COLLATE "C" NOT NULL,
    -- The template is the one published under (template_client_id, template, version).
    template_client_id text COLLATE "C" NOT NULL,
    template     text COLLATE "C" NOT NULL,
    version      integer     NOT NULL,
    status       text        NOT NULL DEFAULT 'queued' CHECK (status IN
        ('queued', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
    ending       text        CHECK (ending IN ('failed', 'cancelled')),
    priority     smallint    NOT NULL CHECK (priority BETWEEN 0 AND 100),
    progress     smallint    NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    sequence     integer     NOT NULL DEFAULT 0,
    revision     integer     NOT NULL DEFAULT 0,
    owner        text COLLATE "C",
    owner_epoch  bigint,
    input         json,
    input_sha256  text COLLATE "C", -- set instead of input where that is an artifact
    result        json,
    result_sha256 text COLLATE "C",
    error         json,
    cost_usd     numeric(18, 9) NOT NULL DEFAULT 0,
    tokens       bigint      NOT NULL DEFAULT 0,
    request_id   text,
    retry_of     text COLLATE "C",
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    CONSTRAINT owner_has_an_epoch CHECK ((owner IS NULL) = (owner_epoch IS NULL)),
    CONSTRAINT final_is_finished CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT final_has_no_owner CHECK (finished_at IS NULL OR owner IS NULL),
    CONSTRAINT input_is_somewhere CHECK ((input IS NULL) <> (input_sha256 IS NULL)),
    CONSTRAINT completed_is_whole CHECK (status <> 'completed' OR progress = 100)
) WITH (fillfactor = 70);
CREATE INDEX executions_of_owner ON pipeline_executions (owner) WHERE owner IS NOT NULL;
CREATE INDEX executions_of_client ON pipeline_executions (client_id, execution_id DESC);

-- A row appears with the first thing that happens to the stage; until then it is pending.
-- pending -> ready | waiting | skipped | cancelled          ready -> offered | failed | skipped | cancelled
-- offered -> running | ready | cancelling                   running -> completed | failed | ready | cancelling
-- waiting -> completed | failed | skipped | cancelled       cancelling -> cancelled
-- completed, failed, skipped, cancelled: final
-- attempt counts charged tries; offer_round counts offers since the last charge, and yields the tries that were not
-- charged because their worker stopped. Only `fence` may report;
-- settled_fence is the one whose result was taken, so that the same result sent again gets the same ack.
CREATE TABLE stage_executions (
    execution_id  text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    client_id     text COLLATE "C" NOT NULL,
    action        text COLLATE "C",
    status        text     NOT NULL CHECK (status IN ('pending', 'ready', 'offered', 'running', 'waiting',
        'cancelling', 'completed', 'failed', 'skipped', 'cancelled')),
    attempt       smallint NOT NULL CHECK (attempt >= 1),
    offer_round   integer  NOT NULL,
    fence         bigint,
    settled_fence bigint,
    worker_id     text COLLATE "C",
    message       text,
    progress      real     NOT NULL CHECK (progress BETWEEN 0 AND 100),
    estimate      json, -- what the worker accepted with: {ms, tokens, costUsd}
    result        json,
    result_sha256 text COLLATE "C",
    metrics       json,
    error         json,
    started_at    timestamptz,
    finished_at   timestamptz,
    yields        smallint NOT NULL DEFAULT 0 CHECK (yields >= 0),
    losses        json, -- the workers that were lost with it: [[workerId, reason], ...]
    PRIMARY KEY (execution_id, name),
    CONSTRAINT live_has_a_fence CHECK (status NOT IN ('offered', 'running', 'cancelling')
        OR (fence IS NOT NULL AND worker_id IS NOT NULL)),
    CONSTRAINT final_stage_is_finished CHECK ((status IN ('completed', 'failed', 'skipped', 'cancelled'))
        = (finished_at IS NOT NULL))
) WITH (fillfactor = 85);

-- One row an offer, with its whole conversation: a JSON array of {seq, at, direction, type, body | sha256, bytes}.
-- Its pages are filled up: a row is a fifth of one, so what is spared for an update would not take a second version,
-- and a fifth of the table and of the work of extending it goes.
CREATE TABLE handshake_packets (
    execution_id text COLLATE "C" NOT NULL,
    fence        bigint   NOT NULL,
    client_id    text COLLATE "C" NOT NULL,
    stage_name   text COLLATE "C" NOT NULL,
    attempt      smallint NOT NULL,
    worker_id    text COLLATE "C" NOT NULL,
    packets      json     NOT NULL,
    PRIMARY KEY (execution_id, fence)
);

-- Work that no replica owns yet. `action` is the next stage's: replicas claim only what their workers have credit for.
-- ('' is work whose next step needs no worker, a wait for a signal.) rank puts priority and started into one number, so
-- that the order of work is one comparison of (rank, execution_id): a claim begins in the middle of the index, at a
-- low-water mark, and the planner has no other index to take.
CREATE TABLE execution_queue (
    execution_id text COLLATE "C" PRIMARY KEY,
    client_id    text COLLATE "C" NOT NULL,
    action       text COLLATE "C" NOT NULL,
    priority     smallint NOT NULL,
    started      boolean  NOT NULL,
    rank         smallint NOT NULL GENERATED ALWAYS AS (201 - 2 * priority - started::int) STORED
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_order ON execution_queue (action, rank, execution_id);

-- What reached a replica that does not own the execution; the owner takes it at its next flush.
CREATE TABLE execution_inbox (
    inbox_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id text COLLATE "C" NOT NULL,
    client_id    text COLLATE "C" NOT NULL,
    event        json        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- Inserted in the statement that makes the execution. A loser reads the winner's row and compares the body's hash.
CREATE TABLE idempotency_keys (
    client_id    text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    body_hash    bytea       NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client_id, key)
);
-- A key goes with its execution: until then it means that execution and no other.
CREATE INDEX keys_of_execution ON idempotency_keys (execution_id);

-- Where an artifact's bytes are. The hash is of the bytes as stored. used_at is when it was last put there, referred to
-- (to the hour), or found to be in use: what no execution uses and was not for the time of retention is removed.
CREATE TABLE data_references (
    client_id    text COLLATE "C" NOT NULL,
    sha256       text COLLATE "C" NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes        bigint      NOT NULL,
    content_type text        NOT NULL,
    location     text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    used_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client_id, sha256)
);
CREATE INDEX references_by_use ON data_references (used_at);

-- The one store that has the bytes, by the id that it keeps of itself. `url` is where a replica found it last, for
-- people to read.
CREATE TABLE artifact_store (
    is_the_one boolean PRIMARY KEY DEFAULT true CHECK (is_the_one),
    store_id   text COLLATE "C" NOT NULL,
    url        text    NOT NULL,
    is_agreed  boolean NOT NULL DEFAULT false -- false -> true, once the store has the id too
);

-- Which executions refer to an artifact: by a large payload of their own, or by its hash in an input or a result.
CREATE TABLE artifact_uses (
    execution_id text COLLATE "C" NOT NULL,
    client_id    text COLLATE "C" NOT NULL,
    sha256       text COLLATE "C" NOT NULL,
    PRIMARY KEY (execution_id, sha256)
);
CREATE INDEX uses_of_artifact ON artifact_uses (client_id, sha256);

-- Work of the whole system that one replica at a time does, under a lease.
CREATE TABLE housekeeping (
    name        text COLLATE "C" PRIMARY KEY,
    replica_id  text COLLATE "C" NOT NULL,
    lease_until timestamptz NOT NULL
);

-- ------------------------------------------------------------------------------------------------------ workers
-- home is the replica that offers to this worker and counts its slots. url null: the worker dials in.
CREATE TABLE worker_registry (
    worker_id    text COLLATE "C" PRIMARY KEY,
    instance_id  text        NOT NULL,
    display_name text,
    version      text        NOT NULL,
    url          text,
    packet_arrays boolean    NOT NULL DEFAULT false, -- at the url it takes arrays of packets, not the original calls
    capabilities text[]      NOT NULL CHECK (cardinality(capabilities) > 0),
    slots        integer     NOT NULL CHECK (slots >= 1),
    labels       jsonb       NOT NULL DEFAULT '{}',
    resources    json        NOT NULL DEFAULT '{}',
    home         text COLLATE "C",
    draining     boolean     NOT NULL DEFAULT false,
    registered_at timestamptz NOT NULL DEFAULT now(),
    home_since    timestamptz NOT NULL DEFAULT now(), -- of two replicas that both hold it for theirs the later is right
    seen_at       timestamptz NOT NULL DEFAULT now() -- to the hour: one that was not seen for long is forgotten
);

-- ------------------------------------------------------------------------------------------------------ flushes
-- The rows that the journal hands over, an array of each to the one statement that writes them (queries/journal.sql).
CREATE TYPE flushed_key AS (client_id text, key text, body_hash bytea, execution_id text);

CREATE TYPE flushed_submission AS (
    execution_id       text,
    client_id          text,
    template_client_id text,
    template           text,
    version            integer,
    priority           smallint,
    input              json,
    input_sha256       text,
    request_id         text,
    retry_of           text,
    created_at         timestamptz,
    owned              boolean, -- driven by the replica that submits it, from the start
    keyed              boolean  -- made only if its idempotency key is new
);

CREATE TYPE flushed_change AS (
    execution_id  text,
    revision_was  integer,
    revision      integer,
    sequence      integer,
    status        text,
    ending        text,
    progress      smallint,
    result        json,
    result_sha256 text,
    error         json,
    cost_usd      numeric,
    tokens        bigint,
    started_at    timestamptz,
    finished_at   timestamptz,
    kept          boolean -- stays with its owner
);

CREATE TYPE flushed_stage AS (
    execution_id  text,
    name          text,
    client_id     text,
    action        text,
    status        text,
    attempt       smallint,
    offer_round   integer,
    fence         bigint,
    settled_fence bigint,
    worker_id     text,
    message       text,
    progress      real,
    estimate      json,
    result        json,
    result_sha256 text,
    metrics       json,
    error         json,
    started_at    timestamptz,
    finished_at   timestamptz,
    yields        smallint,
    losses        json
);

CREATE TYPE flushed_conversation AS (
    execution_id text,
    fence        bigint,
    client_id    text,
    stage_name   text,
    attempt      smallint,
    worker_id    text,
    packets      json
);

CREATE TYPE flushed_queue_entry AS (
    execution_id text,
    client_id    text,
    action       text,
    priority     smallint,
    started      boolean
);

CREATE TYPE flushed_artifact AS (client_id text, sha256 text, bytes bigint, location text);

CREATE TYPE flushed_use AS (
    execution_id text,
    client_id    text,
    sha256       text,
    made         boolean -- by this flush, rather than referred to by its hash
);
