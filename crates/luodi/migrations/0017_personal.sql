-- Erasure and export of the personal data of one party.
ALTER TABLE party ADD COLUMN erased_at BIGINT;

-- Requests to erase: asked for by one person, decided by another.
CREATE TABLE erasure (
  id BYTEA PRIMARY KEY,
  party_id BYTEA NOT NULL REFERENCES party (id),
  region_code TEXT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT NOT NULL,
  requested_by BYTEA NOT NULL,
  requested_at BIGINT NOT NULL,
  decided_by BYTEA,
  decided_at BIGINT,
  decision TEXT,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX erasure_party ON erasure (party_id, requested_at);
CREATE INDEX erasure_state ON erasure (state, region_code, requested_at);

-- Copies of all data of one party: made in the background, kept for some days, sealed like its files.
CREATE TABLE data_export (
  id BYTEA PRIMARY KEY,
  party_id BYTEA NOT NULL REFERENCES party (id),
  region_code TEXT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT NOT NULL,
  requested_by BYTEA NOT NULL,
  requested_at BIGINT NOT NULL,
  ready_at BIGINT,
  expires_at BIGINT,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX data_export_party ON data_export (party_id, requested_at);
