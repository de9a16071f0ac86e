-- A one-time password is good until this instant and only for setting an own one.
ALTER TABLE account ADD COLUMN one_time_until BIGINT;

-- The accounts of a demonstration and their passwords, which are public: the log-in page lists them.
-- A real city has no row here.
CREATE TABLE demo_account (
  account_id BYTEA PRIMARY KEY REFERENCES account (id),
  password TEXT NOT NULL,
  totp TEXT
);
