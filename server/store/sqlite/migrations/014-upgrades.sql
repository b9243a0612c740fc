-- How far an upgrade of a machine's system is; all are NULL for the other orders.
ALTER TABLE orders ADD COLUMN target TEXT; -- the version that the machine is to run
ALTER TABLE orders ADD COLUMN state  TEXT;
ALTER TABLE orders ADD COLUMN since  INTEGER; -- since when it is in this state: milliseconds since 1970
ALTER TABLE orders ADD COLUMN why    TEXT; -- of one that failed
ALTER TABLE orders ADD COLUMN kernel TEXT; -- the start of the kernel that was asked to restart
ALTER TABLE orders ADD COLUMN healthy_seconds INTEGER; -- how long after its start the new image is called good; NULL: 900
