-- The records: what agents reported, what was decided, what is to be done. One text for SQLite and PostgreSQL.
-- Times are UTC milliseconds (*_ms), flags are 0 or 1, JSON is TEXT, models are namespace/name.

CREATE TABLE agents (
    node TEXT NOT NULL PRIMARY KEY,
    credential_sha256 TEXT NOT NULL UNIQUE,
    epoch TEXT,
    joined_ms BIGINT NOT NULL,
    last_seen_ms BIGINT
);

-- What was applied of each agent's spool: written in the transaction that applies a report.
CREATE TABLE agent_epochs (
    agent TEXT NOT NULL,
    epoch TEXT NOT NULL,
    acknowledged BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (agent, epoch)
);

CREATE TABLE windows (
    model TEXT NOT NULL,
    start_ms BIGINT NOT NULL,
    step_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    source TEXT NOT NULL,
    metric TEXT NOT NULL,
    version TEXT NOT NULL,
    slice TEXT NOT NULL,
    replica TEXT NOT NULL,
    sketch BYTEA NOT NULL,
    -- Number of reports merged into the sketch.
    revision BIGINT NOT NULL,
    PRIMARY KEY (model, start_ms, step_ms, source, metric, version, slice, replica)
);
CREATE INDEX windows_newest ON windows (model, source, end_ms);
CREATE INDEX windows_age ON windows (end_ms);

CREATE TABLE samples (
    request_id TEXT NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    slice TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    prompt TEXT NOT NULL,
    completion TEXT NOT NULL,
    origin TEXT NOT NULL,
    label_completion TEXT,
    label_correct BIGINT,
    label_key TEXT,
    label_at_ms BIGINT
);
CREATE INDEX samples_model ON samples (model, at_ms);
CREATE INDEX samples_age ON samples (at_ms);

CREATE TABLE sample_subjects (
    hmac TEXT NOT NULL,
    request_id TEXT NOT NULL REFERENCES samples (request_id) ON DELETE CASCADE,
    PRIMARY KEY (hmac, request_id)
);
CREATE INDEX sample_subjects_request ON sample_subjects (request_id);

CREATE TABLE work (
    id TEXT NOT NULL PRIMARY KEY,
    agent TEXT,
    kind TEXT NOT NULL,
    spec BYTEA NOT NULL,
    attempt BIGINT NOT NULL,
    run TEXT,
    model TEXT,
    created_ms BIGINT NOT NULL,
    phase TEXT NOT NULL,
    terminal BIGINT NOT NULL,
    progress TEXT,
    result TEXT,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    retryable BIGINT NOT NULL,
    spent_seconds DOUBLE PRECISION NOT NULL,
    updated_ms BIGINT NOT NULL
);
CREATE INDEX work_open ON work (terminal, agent);
CREATE INDEX work_run ON work (run);

CREATE TABLE work_progress (
    work TEXT NOT NULL REFERENCES work (id) ON DELETE CASCADE,
    stage TEXT NOT NULL,
    step BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    total_steps BIGINT NOT NULL,
    loss DOUBLE PRECISION,
    eta_seconds DOUBLE PRECISION,
    PRIMARY KEY (work, stage, step)
);

CREATE TABLE alerts (
    fingerprint TEXT NOT NULL,
    starts_ms BIGINT NOT NULL,
    model TEXT,
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    updated_ms BIGINT NOT NULL,
    ends_ms BIGINT,
    last_sent TEXT NOT NULL,
    PRIMARY KEY (fingerprint, starts_ms)
);
CREATE UNIQUE INDEX alerts_firing ON alerts (fingerprint) WHERE ends_ms IS NULL;
CREATE INDEX alerts_recent ON alerts (starts_ms);

CREATE TABLE analyses (
    model TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    version TEXT NOT NULL,
    outcome TEXT NOT NULL,
    evidence TEXT,
    PRIMARY KEY (model, at_ms, version)
);
CREATE INDEX analyses_age ON analyses (at_ms);

-- Append-only and hash-chained: hash = sha256(prev_hash and every other column).
CREATE TABLE ledger (
    sequence BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT,
    object TEXT,
    summary TEXT NOT NULL,
    detail TEXT NOT NULL,
    evidence TEXT,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX ledger_model ON ledger (model, sequence);
