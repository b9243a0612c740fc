-- The disks of machines: what a boot was granted, what became of it, and which of them is the machine's. One row a boot.
CREATE TABLE installs (
  machine      TEXT NOT NULL,
  boot         INTEGER NOT NULL,
  disks        TEXT NOT NULL,    -- JSON: a list of names, sizes, models, serial numbers and ids
  version      TEXT NOT NULL,
  slot         TEXT,
  overwrite    INTEGER NOT NULL, -- 1 where what the disk held may be overwritten
  ordered_by   TEXT,             -- the operator whose order it was
  granted_at   INTEGER NOT NULL, -- milliseconds since 1970
  installed_at INTEGER,          -- when the machine reported that it is written
  confirmed_at INTEGER,          -- when the machine that wrote it had its bundle: from then on this is its system
  PRIMARY KEY (machine, boot)
) STRICT, WITHOUT ROWID;

-- What the next network boot of a machine does to its disk.
CREATE TABLE orders (
  machine  TEXT PRIMARY KEY,
  verb     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  until    INTEGER NOT NULL,
  who      TEXT NOT NULL,
  host_run TEXT NOT NULL,
  host_at  INTEGER NOT NULL,
  boot     INTEGER -- the one that wipes now
) STRICT, WITHOUT ROWID;
