-- Who at an identity provider a person is. The subject is sealed under the account's key together with
-- its issuer, and found by keyed hash; both ends of a link are live once. A link is ended, never removed.
CREATE TABLE account_identity (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  issuer TEXT NOT NULL,
  subject_sealed BYTEA NOT NULL,
  subject_lookup BYTEA NOT NULL,
  linked_at BIGINT NOT NULL,
  ended_at BIGINT,
  last_event BYTEA
);
CREATE UNIQUE INDEX account_identity_subject ON account_identity (subject_lookup) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX account_identity_account ON account_identity (account_id, issuer) WHERE ended_at IS NULL;
