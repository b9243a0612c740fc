-- When a reopening ends, in milliseconds since 1970; 0: of an earlier version, which gave it no end. It ends at the next start.
ALTER TABLE reopened ADD COLUMN until INTEGER NOT NULL DEFAULT 0;
