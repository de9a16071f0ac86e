-- Where the person who acted and what was acted on belong, as they were then: by these the log's
-- readers see the events of their region. Events from before have none and are the city's to see.
ALTER TABLE audit_event ADD COLUMN actor_region TEXT;
ALTER TABLE audit_event ADD COLUMN region_code TEXT;

-- The log by time, by person and by kind of command.
CREATE INDEX audit_event_at ON audit_event (at, id, actor_region, region_code);
CREATE INDEX audit_event_actor ON audit_event (actor_label, at, id);
CREATE INDEX audit_event_command ON audit_event (command, at, id);
