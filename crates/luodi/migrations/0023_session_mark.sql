-- What shows that a program with the keys opened this session: a keyed hash over its secret, its
-- account, its span and the second factor it was opened with. Sessions from before end.
ALTER TABLE session ADD COLUMN mark BYTEA;
UPDATE session SET expires_at = seen_at WHERE expires_at > seen_at;

-- Since when the roles that need a second factor rest, because an administrator took the factor
-- away; the security administrator confirms them again.
ALTER TABLE account ADD COLUMN roles_rest_since BIGINT;

-- The browser that asked for a code, as a keyed hash, and whether the account had logged in from it.
ALTER TABLE sent_code ADD COLUMN browser BYTEA;
ALTER TABLE sent_code ADD COLUMN from_known BIGINT;
