-- A line of a notice names its case and beneficiary, so that both can be found and told without
-- going through the batch. When a notice ended and when an objection was taken up.
ALTER TABLE notice ADD COLUMN ended_at BIGINT;
ALTER TABLE notice_entry ADD COLUMN case_id BYTEA REFERENCES casework (id);
ALTER TABLE notice_entry ADD COLUMN party_id BYTEA REFERENCES party (id);
ALTER TABLE objection ADD COLUMN taken_up_at BIGINT;
CREATE INDEX notice_batch ON notice (batch_id);
CREATE INDEX notice_entry_case ON notice_entry (case_id);
CREATE INDEX notice_state ON notice (state, ends_on);
