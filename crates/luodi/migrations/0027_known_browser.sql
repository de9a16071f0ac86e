-- A browser is asked for without an account where somebody sets out to the identity provider.
CREATE INDEX known_device_by_hash ON known_device (device_hash);
