-- Notes every change of an execution's or a stage's state in the transaction that makes it, so that what was true for
-- a moment only can be held against the orchestrators afterwards. `clock_timestamp()` is when, `id` is the order.

CREATE TABLE torture_executions (
    id           bigserial PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    execution_id text COLLATE "C" NOT NULL,
    was          text NOT NULL,
    status       text NOT NULL,
    owner_was    bigint,
    owner_epoch  bigint,
    progress_was smallint NOT NULL,
    progress     smallint NOT NULL,
    sequence_was integer NOT NULL,
    sequence     integer NOT NULL
);
CREATE INDEX ON torture_executions (execution_id, id);

CREATE TABLE torture_stages (
    id           bigserial PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    flush        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    execution_id text COLLATE "C" NOT NULL,
    name         text COLLATE "C" NOT NULL,
    was          text,
    status       text NOT NULL,
    attempt      smallint NOT NULL,
    fence        bigint,
    settled_fence bigint,
    worker_id    text COLLATE "C",
    owner_epoch  bigint
);
CREATE INDEX ON torture_stages (execution_id, name, id);

CREATE FUNCTION torture_note_execution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status OR NEW.owner_epoch IS DISTINCT FROM OLD.owner_epoch OR NEW.progress <> OLD.progress
        OR NEW.sequence < OLD.sequence OR OLD.finished_at IS NOT NULL
    THEN
        INSERT INTO torture_executions
            (execution_id, was, status, owner_was, owner_epoch, progress_was, progress, sequence_was, sequence)
        VALUES (NEW.execution_id, OLD.status, NEW.status, OLD.owner_epoch, NEW.owner_epoch, OLD.progress, NEW.progress,
            OLD.sequence, NEW.sequence);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION torture_note_stage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.status <> OLD.status OR NEW.attempt <> OLD.attempt
        OR NEW.fence IS DISTINCT FROM OLD.fence OR OLD.finished_at IS NOT NULL
    THEN
        INSERT INTO torture_stages
            (execution_id, name, was, status, attempt, fence, settled_fence, worker_id, owner_epoch)
        SELECT NEW.execution_id, NEW.name, before, NEW.status, NEW.attempt, NEW.fence, NEW.settled_fence, NEW.worker_id,
            (SELECT e.owner_epoch FROM pipeline_executions AS e WHERE e.execution_id = NEW.execution_id);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER torture_note AFTER UPDATE ON pipeline_executions
    FOR EACH ROW EXECUTE FUNCTION torture_note_execution();
CREATE TRIGGER torture_note AFTER INSERT OR UPDATE ON stage_executions
    FOR EACH ROW EXECUTE FUNCTION torture_note_stage();
