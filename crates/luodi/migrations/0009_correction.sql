-- What the form said before a correction was answered, sealed as it was: the page of the case shows
-- the old value beside the new one.
ALTER TABLE correction ADD COLUMN form_before TEXT;
