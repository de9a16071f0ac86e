-- A seal over each kept checkpoint, the moment of its signing and the one kept before it.
ALTER TABLE audit_checkpoint ADD COLUMN seal BYTEA;

-- Tables that were not bound before are bound at the first start.
INSERT INTO meta (name, value) SELECT 'rebind', '1' WHERE EXISTS (SELECT 1 FROM audit_event)
  AND NOT EXISTS (SELECT 1 FROM meta WHERE name = 'rebind');
