-- What the public notice showed of a batch and of each of its lines, kept beside them: the public
-- list of payments names a beneficiary as the notice did, and the batch leads to its notice.
ALTER TABLE batch ADD COLUMN notice_id BYTEA;
ALTER TABLE batch ADD COLUMN notice_number TEXT;
ALTER TABLE batch_entry ADD COLUMN notice_position BIGINT;
ALTER TABLE batch_entry ADD COLUMN public_name TEXT;
ALTER TABLE batch_entry ADD COLUMN public_summary TEXT;
UPDATE batch SET
  notice_id = (SELECT n.id FROM notice n WHERE n.batch_id = batch.id ORDER BY n.id DESC LIMIT 1),
  notice_number = (SELECT n.number FROM notice n WHERE n.batch_id = batch.id ORDER BY n.id DESC LIMIT 1);
UPDATE batch_entry SET
  notice_position = (SELECT l.position FROM notice_entry l WHERE l.batch_entry_id = batch_entry.id ORDER BY l.id DESC LIMIT 1),
  public_name = (SELECT l.masked_name FROM notice_entry l WHERE l.batch_entry_id = batch_entry.id ORDER BY l.id DESC LIMIT 1),
  public_summary = (SELECT l.summary FROM notice_entry l WHERE l.batch_entry_id = batch_entry.id ORDER BY l.id DESC LIMIT 1);
CREATE INDEX payment_paid ON payment (settled_on, id) WHERE state = 'paid';
