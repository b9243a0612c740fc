-- Groups, profiles, templates and machines in one table, each write kept with who, when and what. An object is the
-- content of one of its revisions; it belongs to a site, or to nobody.
CREATE TABLE revisions (
  number  INTEGER PRIMARY KEY,
  kind    TEXT NOT NULL,
  id      TEXT NOT NULL,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,
  content TEXT -- JSON; NULL where the object was removed
) STRICT;
CREATE INDEX revisions_by_object ON revisions (kind, id, number);

CREATE TABLE objects (
  kind     TEXT NOT NULL,
  id       TEXT NOT NULL,
  site     TEXT REFERENCES sites (name),
  position INTEGER NOT NULL, -- in the site file
  revision INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_site ON objects (site) WHERE site IS NOT NULL;

-- What only one machine can have.
CREATE TABLE claims (
  what    TEXT NOT NULL,
  value   TEXT NOT NULL,
  machine TEXT NOT NULL,
  PRIMARY KEY (what, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_machine ON claims (machine);

INSERT INTO revisions (kind, id, at, who, content)
  SELECT 'machine', name, unixepoch() * 1000, 'site ' || site, object FROM machines
  UNION ALL SELECT 'profile', id, unixepoch() * 1000, 'site ' || site, object FROM profiles
  UNION ALL SELECT 'group', id, unixepoch() * 1000, 'site ' || site, object FROM groups;
INSERT INTO objects (kind, id, site, position, revision)
  SELECT 'machine', name, site, position, number FROM machines JOIN revisions ON kind = 'machine' AND revisions.id = name
  UNION ALL SELECT 'profile', p.id, site, position, number FROM profiles p JOIN revisions r ON kind = 'profile' AND r.id = p.id
  UNION ALL SELECT 'group', g.id, site, position, number FROM groups g JOIN revisions r ON kind = 'group' AND r.id = g.id;
INSERT INTO claims (what, value, machine)
  SELECT 'address', address, name FROM machines
  UNION ALL SELECT 'MAC', mac, machine FROM machine_macs;

DROP TABLE machine_macs;
DROP TABLE machines;
DROP TABLE profiles;
DROP TABLE groups;
