-- Tasks are looked for by their case, most often those that wait. An ended task, its successor and the
-- order of both change one page.
DROP INDEX task_case;
DROP INDEX task_waiting;
CREATE INDEX task_of ON task (case_id, state, role);

-- A department's cases by what does not change. Of the states only one is asked for on its own: what
-- is approved and waits for its batch.
DROP INDEX casework_department;
CREATE INDEX casework_department ON casework (department_id, submitted_at);
CREATE INDEX casework_proposed ON casework (department_id, due_on)
  WHERE state = 'proposed' AND ended_at IS NULL;

-- Only open jobs have a key to be found by, and only ended ones an end.
DROP INDEX job_open;
DROP INDEX job_ended;
CREATE UNIQUE INDEX job_open ON job (queue, kind, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;
