-- Only tasks that wait are looked for without their ended ones, always by their case. An ended task
-- leaves this index at the place where its successor enters it, so that both change one page.
DROP INDEX task_open;
CREATE INDEX task_waiting ON task (case_id, role) WHERE state = 'open';
