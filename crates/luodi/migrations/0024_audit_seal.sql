-- Each event waits once, under a seal that names it and says that it waits: what has a number cannot
-- be put back among those that wait. Seals of before are made anew by the program that runs this.
DELETE FROM audit_pending WHERE event_id IN (SELECT event_id FROM audit_leaf)
  OR place NOT IN (SELECT MIN(place) FROM audit_pending GROUP BY event_id);
ALTER TABLE audit_pending RENAME COLUMN mac TO seal;
CREATE UNIQUE INDEX audit_pending_event ON audit_pending (event_id);

-- What stood among the events that wait without the seal of the keys, or had its number already: set
-- aside where it was found, so that it holds up nothing and is still there to be looked at.
CREATE TABLE audit_refused (
  id BYTEA NOT NULL PRIMARY KEY,
  event_id BYTEA NOT NULL,
  leaf BYTEA,
  seal BYTEA,
  refused_at BIGINT NOT NULL
);
