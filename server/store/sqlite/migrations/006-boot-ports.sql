-- What a boot's token was made from, so that a later boot in the same name decides nothing about it.
ALTER TABLE machine_boots ADD COLUMN port TEXT; -- the switch port, as the relay of DHCP named it when the token was made
ALTER TABLE machine_boots ADD COLUMN port_moved INTEGER NOT NULL DEFAULT 0; -- 1 where DHCP of this boot came from two ports
ALTER TABLE machine_boots ADD COLUMN fingerprint TEXT; -- of the key that the bundle was given for

-- The order in which the tokens of a boot were made.
ALTER TABLE tokens ADD COLUMN number INTEGER NOT NULL DEFAULT 0;

-- A reopening is for boots that got their first token after it: those after this one.
ALTER TABLE reopened ADD COLUMN after_boot INTEGER NOT NULL DEFAULT 0;
