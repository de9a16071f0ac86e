-- What a search for a part of a name looks at: the name with folded width, in small letters.
ALTER TABLE party ADD COLUMN name_folded TEXT NOT NULL DEFAULT '';
