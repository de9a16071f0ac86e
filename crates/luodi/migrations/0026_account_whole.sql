-- The bound row of an account says which roles and which second factor in use it has, so that none
-- can be added or taken away beside it, whatever stands in the log's columns meanwhile.
ALTER TABLE account ADD COLUMN roles TEXT;
ALTER TABLE account ADD COLUMN factor_id BYTEA;
UPDATE account SET
  roles = (SELECT string_agg(r.role, ' ') FROM account_role r WHERE r.account_id = account.id),
  factor_id = (SELECT f.id FROM second_factor f WHERE f.account_id = account.id AND f.state = 'active'
    ORDER BY f.id LIMIT 1);
INSERT INTO meta (name, value) SELECT 'rebind', '1' WHERE EXISTS (SELECT 1 FROM audit_event)
  AND NOT EXISTS (SELECT 1 FROM meta WHERE name = 'rebind');
