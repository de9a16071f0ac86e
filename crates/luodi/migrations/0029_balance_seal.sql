-- The running balances of a line under the keys of the program: what guards the next posting is not
-- taken from whoever can write the table. Lines of before get theirs with the next posting; until
-- then their balances are added up.
ALTER TABLE budget_line ADD COLUMN balance_seal BYTEA;
