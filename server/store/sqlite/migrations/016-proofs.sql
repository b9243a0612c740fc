-- What shows that a boot is the machine's own before an order is spent, and that the disk is the one that a boot was granted.
ALTER TABLE orders ADD COLUMN without_proof INTEGER NOT NULL DEFAULT 0; -- 1: a boot that does not show the machine's key spends it, too
ALTER TABLE orders ADD COLUMN proven_boot   INTEGER; -- the boot that showed the key when it was told to wipe
ALTER TABLE installs ADD COLUMN table_id   TEXT; -- the id of the partition table that this install writes, which no one else knows
ALTER TABLE installs ADD COLUMN roothashes TEXT; -- JSON: the root hashes of the images that the machine was given, the last one last
