-- When a token was made by the clock of the host that nobody sets, and in which run of the host: its age after a restart.
ALTER TABLE tokens ADD COLUMN host_run TEXT;
ALTER TABLE tokens ADD COLUMN host_at INTEGER;
