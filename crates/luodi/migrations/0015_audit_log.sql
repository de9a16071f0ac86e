-- Events that are not numbered yet, in the order of their commits as far as they name the same rows.
-- leaf is the event's hash in the tree, mac shows that a program with the keys wrote it. Events from
-- before this migration have neither until they are numbered for the first time; they come in the
-- order in which they were written, which a scan of the whole table gives, and not of an index.
CREATE TABLE audit_pending (
  place SEQUENCE_KEY,
  event_id BYTEA NOT NULL,
  leaf BYTEA,
  mac BYTEA
);
INSERT INTO audit_pending (event_id) SELECT id FROM audit_event WHERE rows <> '';

-- The number of each event: its place among the leaves of the tree.
CREATE TABLE audit_leaf (
  number BIGINT NOT NULL PRIMARY KEY,
  event_id BYTEA NOT NULL UNIQUE,
  mac BYTEA NOT NULL
);

-- The hashes of the tree, up to 256 of one height side by side.
CREATE TABLE audit_tile (
  level BIGINT NOT NULL,
  place BIGINT NOT NULL,
  hashes BYTEA NOT NULL,
  PRIMARY KEY (level, place)
);

-- Signed words on how large the tree was and what its root was: the last, and the last of each hour.
CREATE TABLE audit_checkpoint (
  size BIGINT NOT NULL PRIMARY KEY,
  signed_at BIGINT NOT NULL,
  note TEXT NOT NULL
);

-- The one row that whoever numbers events holds; origin is the log's name.
CREATE TABLE audit_head (
  one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  size BIGINT NOT NULL,
  origin TEXT NOT NULL
);
INSERT INTO audit_head (one, size, origin) VALUES (1, 0, '');

-- Rows that migrations changed without an event, and tables that were not bound before, are bound
-- anew at the first start.
INSERT INTO meta (name, value) SELECT 'rebind', '1' WHERE EXISTS (SELECT 1 FROM audit_event);
