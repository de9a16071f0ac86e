-- Money, completed: order and uniqueness of entries, what a batch's list said, the bank's replies.

-- The place of an entry among those of its budget line: the line's version after it. Instants
-- cannot tell the order, because a command that began earlier may be written later.
ALTER TABLE ledger_entry ADD COLUMN line_version BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX ledger_entry_order ON ledger_entry (budget_line_id, line_version);

-- A budget line is adopted once, and an entry is reversed once.
CREATE UNIQUE INDEX ledger_entry_adoption ON ledger_entry (budget_line_id) WHERE movement = 'adopt';
CREATE UNIQUE INDEX ledger_entry_reverses ON ledger_entry (reverses);

-- The list as it was when it was made, and why an entry waits or is gone.
ALTER TABLE batch_entry ADD COLUMN case_number TEXT NOT NULL DEFAULT '';
ALTER TABLE batch_entry ADD COLUMN party_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE batch_entry ADD COLUMN party_name TEXT NOT NULL DEFAULT '';
ALTER TABLE batch_entry ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE batch_entry ADD COLUMN held_why TEXT;
ALTER TABLE batch_entry ADD COLUMN removed_why TEXT;
CREATE INDEX batch_entry_party ON batch_entry (party_id);
-- A case stands in one list at a time.
CREATE UNIQUE INDEX batch_entry_live ON batch_entry (case_id) WHERE state <> 'removed';

-- The files of a batch.
CREATE INDEX payment_file_batch ON payment_file (batch_id);

-- Every reply of the bank; one file may be answered in parts.
CREATE TABLE bank_reply (
  id BYTEA PRIMARY KEY,
  file_id BYTEA NOT NULL REFERENCES payment_file (id),
  sha256 TEXT NOT NULL,
  line_count BIGINT NOT NULL,
  paid_count BIGINT NOT NULL,
  paid_fen BIGINT NOT NULL,
  returned_count BIGINT NOT NULL,
  returned_fen BIGINT NOT NULL,
  received_by TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  last_event BYTEA,
  UNIQUE (file_id, sha256)
);
