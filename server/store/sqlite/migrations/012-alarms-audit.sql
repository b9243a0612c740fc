-- Alarms: one for each code and entity. Severity and repair follow from the code.
CREATE TABLE alarms (
  code            TEXT NOT NULL,
  entity          TEXT NOT NULL,
  since           INTEGER NOT NULL,
  last_seen       INTEGER NOT NULL,
  count           INTEGER NOT NULL,
  reason          TEXT NOT NULL,
  acknowledged_at INTEGER,
  acknowledged_by TEXT,
  cleared_at      INTEGER,
  cleared_by      TEXT,
  PRIMARY KEY (code, entity)
) STRICT, WITHOUT ROWID;

-- Who changed what. Numbers are never given twice, also when all entries were pruned.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,
  role    TEXT NOT NULL,
  shown   TEXT NOT NULL,
  address TEXT NOT NULL,
  action  TEXT NOT NULL,
  entity  TEXT NOT NULL,
  before  TEXT,
  after   TEXT,
  summary TEXT,
  outcome TEXT NOT NULL,
  code    TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_not_done ON audit (id) WHERE outcome <> 'done';
