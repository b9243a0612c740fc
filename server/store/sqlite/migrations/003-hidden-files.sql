-- An object without content stands for a file of the data directory that somebody deleted: it hides that version of it.
ALTER TABLE objects ADD COLUMN hides TEXT;
