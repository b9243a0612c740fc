-- An install that a later boot entered before it was confirmed stays the one that it is.
ALTER TABLE installs ADD COLUMN granted_boot INTEGER; -- the boot that was granted it, where another one entered it
