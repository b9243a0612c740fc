-- When a machine was opened by the clock of the host that nobody sets, and in which run of the host: its end after a restart.
ALTER TABLE reopened ADD COLUMN host_run TEXT;
ALTER TABLE reopened ADD COLUMN host_at INTEGER;
