-- A leave (请假) of a member of staff and who stands in for him meanwhile (AB角). It gives no role.
-- An ended leave stays; days are days in China.
CREATE TABLE account_leave (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  stand_in_id BYTEA NOT NULL REFERENCES account (id),
  kind TEXT NOT NULL,
  first_day TEXT NOT NULL,
  last_day TEXT NOT NULL,
  registered_by TEXT NOT NULL,
  registered_at BIGINT NOT NULL,
  ended_by TEXT,
  ended_at BIGINT,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX account_leave_of ON account_leave (account_id, last_day);
CREATE INDEX account_leave_stand_in ON account_leave (stand_in_id, last_day);

-- For whom the holder of a task took it over as his stand-in.
ALTER TABLE task ADD COLUMN stand_in_for_id BYTEA;
