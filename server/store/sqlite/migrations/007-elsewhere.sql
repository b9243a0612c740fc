-- Boots where DHCP showed nothing and the sender was not at the machine's declared address: anyone can begin such a boot, so
-- they have room of their own, and push out none of the machine's.
ALTER TABLE machine_boots ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;
