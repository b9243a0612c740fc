-- The tokens of a boot are found without looking at all.
CREATE INDEX tokens_by_boot ON tokens (machine, boot, number);
