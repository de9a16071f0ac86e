-- The second factor of an account: the secret of its codes (TOTP), sealed under the account's own
-- data key. The step of the last code used makes every code good for one time only.
CREATE TABLE second_factor (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  state TEXT NOT NULL,
  secret_sealed BYTEA NOT NULL,
  last_step BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  confirmed_at BIGINT,
  ended_at BIGINT,
  last_event BYTEA
);
CREATE INDEX second_factor_account ON second_factor (account_id, state);

-- Codes on paper for a lost telephone, as keyed hashes, each good for one time.
CREATE TABLE recovery_code (
  factor_id BYTEA NOT NULL REFERENCES second_factor (id),
  code_hash BYTEA NOT NULL,
  used_at BIGINT,
  ended_at BIGINT,
  PRIMARY KEY (factor_id, code_hash)
);

-- What the owner is told of a session, and of the log-in before it.
ALTER TABLE session ADD COLUMN id BYTEA;
ALTER TABLE session ADD COLUMN address TEXT;
ALTER TABLE session ADD COLUMN agent TEXT;
ALTER TABLE session ADD COLUMN previous_at BIGINT;
ALTER TABLE session ADD COLUMN previous_from TEXT;
ALTER TABLE session ADD COLUMN failed_before BIGINT;
ALTER TABLE account ADD COLUMN last_login_from TEXT;

-- Browsers an account has logged in from: a guesser elsewhere does not slow them down.
CREATE TABLE known_device (
  account_id BYTEA NOT NULL REFERENCES account (id),
  device_hash BYTEA NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, device_hash)
);

-- Since when the password holds, and the hashes of those before it.
ALTER TABLE account ADD COLUMN password_set_at BIGINT;
CREATE TABLE password_past (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  password_hash TEXT NOT NULL,
  ended_at BIGINT NOT NULL
);
CREATE INDEX password_past_account ON password_past (account_id, ended_at);

-- A telephone number or mail address of an account, sealed under its key; a code proves it.
CREATE TABLE contact (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  channel TEXT NOT NULL,
  value_sealed BYTEA NOT NULL,
  state TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  verified_at BIGINT,
  ended_at BIGINT,
  last_event BYTEA
);
CREATE INDEX contact_account ON contact (account_id, state);

-- Codes sent to a contact, as keyed hashes: to prove the contact, or to set a new password.
CREATE TABLE sent_code (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  contact_id BYTEA NOT NULL REFERENCES contact (id),
  purpose TEXT NOT NULL,
  code_hash BYTEA NOT NULL,
  good_until BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX sent_code_account ON sent_code (account_id, purpose, good_until);
