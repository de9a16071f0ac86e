-- What the checks of an item compare a case with, kept beside the case so that a page reads one
-- short range instead of all cases of the item.
CREATE TABLE case_measure (
  case_id BYTEA NOT NULL REFERENCES casework (id),
  statistic TEXT NOT NULL,
  item_id BYTEA NOT NULL REFERENCES item (id),
  group_key TEXT NOT NULL,
  numerator DOUBLE PRECISION NOT NULL,
  denominator DOUBLE PRECISION NOT NULL,
  counts BIGINT NOT NULL,
  PRIMARY KEY (case_id, statistic)
);
CREATE INDEX case_measure_group ON case_measure
  (item_id, statistic, group_key, counts, case_id, numerator, denominator);

-- Worklists by deadline: running cases of a department, and of a region, in the order shown.
CREATE INDEX casework_running ON casework (department_id, due_on, submitted_at, id)
  WHERE ended_at IS NULL;
CREATE INDEX casework_due ON casework (due_on, submitted_at, id, region_code)
  WHERE ended_at IS NULL;
