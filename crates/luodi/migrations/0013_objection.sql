-- Contents that no row names are looked for by their names.
CREATE INDEX attachment_content ON attachment (content_name);
-- The last day to answer an objection; none on those received before this column was there.
ALTER TABLE objection ADD COLUMN due_on TEXT;
