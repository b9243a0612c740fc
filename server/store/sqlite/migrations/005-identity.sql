-- What each boot of a machine has had of us: how many tokens, which of them was used, its key, and its bundle. The last
-- rows of a machine outlive the journal, since they say whether its bundle may be fetched again.
CREATE TABLE machine_boots (
  machine   TEXT NOT NULL,
  boot      INTEGER NOT NULL,
  tokens    INTEGER NOT NULL,
  proven    INTEGER NOT NULL, -- 1 where DHCP showed whose boot it is, else 0
  token     TEXT,    -- the hash of the one that was used; it voids the others of the boot, and of all earlier boots
  key       TEXT,    -- the recipient that this boot enrolled
  bundle_at INTEGER, -- milliseconds since 1970
  ready_at  INTEGER,
  PRIMARY KEY (machine, boot)
) STRICT, WITHOUT ROWID;

-- The keys that a machine has shown; one of them is approved at most.
CREATE TABLE machine_keys (
  machine     TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  recipient   TEXT NOT NULL,
  state       TEXT NOT NULL,
  boot        TEXT NOT NULL,
  address     TEXT NOT NULL,
  mac         TEXT NOT NULL,
  port        TEXT,    -- the switch port, as the relay of DHCP names it
  why         TEXT NOT NULL,
  seen_at     INTEGER NOT NULL,
  decided_at  INTEGER,
  decided_by  TEXT,
  PRIMARY KEY (machine, fingerprint)
) STRICT, WITHOUT ROWID;

-- Machines whose next boot an operator opened.
CREATE TABLE reopened (
  machine TEXT PRIMARY KEY,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
