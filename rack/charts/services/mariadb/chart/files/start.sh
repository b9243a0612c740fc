#!/bin/bash
# Starts the database server as this container's only process: writes the system tables into an empty volume,
# sets root's password from the Secret, then becomes mariadbd. The port opens after the accounts are set.
set -eu
umask 027
volume=/var/lib/mysql
# Written beside and moved: a container killed in between leaves no half-made data directory behind.
if [ ! -d $volume/data ]; then
  echo "the volume is empty: writing the system tables"
  rm -rf $volume/data.new
  mariadb-install-db --datadir=$volume/data.new --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve > $volume/install.log 2>&1 || { cat $volume/install.log; exit 1; }
  sync -f $volume # a power cut must not leave the name without what it names
  mv $volume/data.new $volume/data
fi
# On a memory volume, a statement a line. The password is URL-safe text, so it needs no quoting. The fresh tables
# hold passwordless roots of this host: they go.
cat > /run/mysqld/accounts.sql <<SQL
CREATE USER IF NOT EXISTS 'root'@'%';
ALTER USER 'root'@'%' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> '%';
FLUSH PRIVILEGES;
SQL
unset MARIADB_ROOT_PASSWORD
exec mariadbd --init-file=/run/mysqld/accounts.sql
