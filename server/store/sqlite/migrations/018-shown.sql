-- A boot that enters its disk over the network has no bundle: by which token it showed the key of that disk.
ALTER TABLE machine_boots ADD COLUMN shown_by TEXT; -- the hash of the token
