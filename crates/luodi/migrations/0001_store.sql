-- What the store itself needs. Column types are BIGINT, TEXT, DOUBLE PRECISION and BYTEA only.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The row the writer grows and shrinks to learn whether writing works again.
INSERT INTO meta (name, value) VALUES ('probe', '');

-- What each command did. Numbered and signed by the sequencer, after the fact.
CREATE TABLE audit_event (
    id BYTEA NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BYTEA,
    actor_label TEXT NOT NULL,
    command TEXT NOT NULL,
    subject_table TEXT NOT NULL,
    subject_id BYTEA NOT NULL,
    detail TEXT NOT NULL,
    rows TEXT NOT NULL
);
CREATE INDEX audit_event_subject ON audit_event (subject_table, subject_id, id);

-- The first answer to each idempotency key that had an effect.
CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BYTEA NOT NULL,
    command TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Work to be done later: due jobs of the program itself (queue 'job') and messages that leave it
-- (queue 'outbox'). claimable_at is NULL once the job has ended; open_key is NULL then, too, so
-- that its uniqueness binds open jobs only.
CREATE TABLE job (
    id BYTEA NOT NULL PRIMARY KEY,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT,
    open_key TEXT,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    claimable_at BIGINT,
    lease_token BYTEA,
    attempts BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX job_open ON job (queue, kind, open_key);
CREATE INDEX job_claimable ON job (queue, claimable_at);
CREATE INDEX job_ended ON job (ended_at);

-- One key per owner, wrapped by the master key; wrapped is NULL once the key is destroyed.
CREATE TABLE data_key (
    owner_id BYTEA NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    wrapped BYTEA,
    created_at BIGINT NOT NULL,
    destroyed_at BIGINT
);
