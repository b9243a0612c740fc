-- What machines are given and what signs for their sites, each sealed with the key beside the store. The bundles that
-- were here in clear go: `pilotlight up` puts them again.
DROP TABLE bundles;

CREATE TABLE sealed (
  kind   TEXT NOT NULL, -- 'bundle' of a machine, 'authority' of a site
  name   TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
