-- The last day to answer an objection; none on those received before this column was there.
ALTER TABLE objection ADD COLUMN due_on TEXT;
