-- Since when an upgrade is in its state by the clock of the host's kernel, which no one sets; NULL for orders of an earlier version.
ALTER TABLE orders ADD COLUMN since_run TEXT;
ALTER TABLE orders ADD COLUMN since_at  INTEGER; -- milliseconds since that run of the host began
