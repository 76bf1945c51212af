-- The granulator's own book: what it made, of what parts, how it was judged, and the templates it was made by.
-- One worker process has it open; times are the database's own, ISO 8601 in UTC.

CREATE TABLE granulation_templates (
    template_name  TEXT PRIMARY KEY COLLATE NOCASE,
    structure_type TEXT NOT NULL,
    definition     TEXT NOT NULL CHECK (json_valid(definition)),
    usage_count    INTEGER NOT NULL DEFAULT 0 CHECK (usage_count >= 0),
    is_shipped     INTEGER NOT NULL CHECK (is_shipped IN (0, 1)),
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT, WITHOUT ROWID;

-- A job is a stage at this worker; a later attempt of the stage begins it anew.
CREATE TABLE granulation_jobs (
    sequence             INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of beginning: pages are cut by it
    job_id               TEXT NOT NULL UNIQUE,
    execution_id         TEXT NOT NULL,
    status               TEXT NOT NULL DEFAULT 'processing'  -- processing -> completed | failed
                         CHECK (status IN ('processing', 'completed', 'failed')),
    topic                TEXT,
    title                TEXT,
    structure_type       TEXT NOT NULL,
    template_name        TEXT,
    granularity_level    INTEGER NOT NULL CHECK (granularity_level BETWEEN 1 AND 5),
    target_audience      TEXT,
    target_elements      INTEGER NOT NULL,
    actual_elements      INTEGER,
    validation_enabled   INTEGER NOT NULL CHECK (validation_enabled IN (0, 1)),
    validation_level     INTEGER NOT NULL CHECK (validation_level BETWEEN 1 AND 3),
    validation_threshold REAL NOT NULL CHECK (validation_threshold BETWEEN 0 AND 100),
    quality_score        REAL CHECK (quality_score BETWEEN 0 AND 100),
    provider             TEXT,
    model                TEXT,
    tokens_used          INTEGER,
    cost_usd             TEXT,
    processing_time_ms   INTEGER,
    -- What it is judged against again; null without a source. Older releases of SQLite find null no valid JSON.
    yardstick            TEXT CHECK (yardstick IS NULL OR json_valid(yardstick)),
    error_code           TEXT,
    error_message        TEXT,
    created_at           TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    finished_at          TEXT,
    CHECK ((status = 'processing') = (finished_at IS NULL)),
    CHECK ((status = 'failed') = (error_code IS NOT NULL))
) STRICT;

CREATE INDEX granulation_jobs_by_execution ON granulation_jobs (execution_id, sequence);
CREATE INDEX granulation_jobs_by_status ON granulation_jobs (status, sequence);

-- Every element of a finished structure in reading order, the root first as number 0.
CREATE TABLE structure_elements (
    job            INTEGER NOT NULL REFERENCES granulation_jobs (sequence) ON DELETE CASCADE,
    element_id     INTEGER NOT NULL,
    parent_id      INTEGER,
    sequence_order INTEGER NOT NULL,  -- among the children of its parent, from 0
    element_type   TEXT NOT NULL,
    title          TEXT NOT NULL,
    description    TEXT NOT NULL,
    attributes     TEXT NOT NULL CHECK (json_valid(attributes)),  -- what only its own kind has
    PRIMARY KEY (job, element_id),
    FOREIGN KEY (job, parent_id) REFERENCES structure_elements (job, element_id),
    CHECK ((element_id = 0) = (parent_id IS NULL)),
    CHECK (parent_id < element_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE validation_results (
    result_id        INTEGER PRIMARY KEY AUTOINCREMENT,
    job              INTEGER NOT NULL REFERENCES granulation_jobs (sequence) ON DELETE CASCADE,
    validation_level INTEGER NOT NULL CHECK (validation_level BETWEEN 1 AND 3),
    threshold        REAL NOT NULL CHECK (threshold BETWEEN 0 AND 100),
    score            REAL CHECK (score BETWEEN 0 AND 100),
    passed           INTEGER CHECK (passed IN (0, 1)),  -- null where there is no score
    quality          TEXT NOT NULL CHECK (json_valid(quality)),
    created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE INDEX validation_results_by_job ON validation_results (job, result_id);
