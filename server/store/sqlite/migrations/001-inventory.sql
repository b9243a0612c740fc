-- Desired state: what sites declare. Objects are JSON, with the columns that must be unique beside them.
CREATE TABLE sites (
  name    TEXT PRIMARY KEY,
  network TEXT NOT NULL
) STRICT;

CREATE TABLE machines (
  name     TEXT PRIMARY KEY,
  site     TEXT NOT NULL REFERENCES sites (name) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  address  TEXT NOT NULL UNIQUE,
  object   TEXT NOT NULL
) STRICT;

CREATE TABLE machine_macs (
  mac     TEXT PRIMARY KEY,
  machine TEXT NOT NULL REFERENCES machines (name) ON DELETE CASCADE
) STRICT;

CREATE TABLE profiles (
  id       TEXT PRIMARY KEY,
  site     TEXT NOT NULL REFERENCES sites (name) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  object   TEXT NOT NULL
) STRICT;

CREATE TABLE groups (
  id       TEXT PRIMARY KEY,
  site     TEXT NOT NULL REFERENCES sites (name) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  object   TEXT NOT NULL
) STRICT;

-- What a machine fetches once, and the tokens that open it.
CREATE TABLE bundles (
  machine TEXT PRIMARY KEY,
  files   TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
  hash    TEXT PRIMARY KEY,
  machine TEXT NOT NULL,
  boot    TEXT NOT NULL,
  until   INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;

-- Seen state: addresses given, and what happened.
CREATE TABLE leases (
  address    TEXT PRIMARY KEY,
  mac        TEXT NOT NULL,
  state      TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  uuid       TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE boots (
  number  INTEGER PRIMARY KEY,
  id      TEXT NOT NULL UNIQUE,
  mac     TEXT NOT NULL,
  machine TEXT,
  began   INTEGER NOT NULL
) STRICT;
CREATE INDEX boots_by_mac ON boots (mac, number);
CREATE INDEX boots_by_machine ON boots (machine, number) WHERE machine IS NOT NULL;

CREATE TABLE events (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  boot    TEXT NOT NULL,
  mac     TEXT NOT NULL,
  machine TEXT,
  layer   TEXT NOT NULL,
  kind    TEXT NOT NULL,
  text    TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_boot ON events (boot, id);
CREATE INDEX events_by_machine ON events (machine, id) WHERE machine IS NOT NULL;
