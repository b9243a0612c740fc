#!/bin/bash
# Makes the service's database and its user; again and again gives the same. Root's password comes from the
# environment, never from a command line.
set -eu
. /opt/pilotlight/wait.sh
wait_for_service "$DB_HOST" "$DB_PORT"
export MYSQL_PWD="$DB_ROOT_PASSWORD"
make() {
  mariadb --no-defaults --connect-timeout=5 --host="$DB_HOST" --port="$DB_PORT" --user=root <<SQL
CREATE DATABASE IF NOT EXISTS $DB_NAME CHARACTER SET utf8;
CREATE USER IF NOT EXISTS '$DB_USER'@'%';
ALTER USER '$DB_USER'@'%' IDENTIFIED BY '$DB_PASSWORD';
GRANT ALL PRIVILEGES ON $DB_NAME.* TO '$DB_USER'@'%';
CREATE TABLE IF NOT EXISTS $DB_NAME.pilotlight_jobs (name varchar(64) PRIMARY KEY, at timestamp);
SQL
}
for attempt in 1 2 3 4 5; do
  if make; then
    echo "database $DB_NAME is there for user $DB_USER"
    exit 0
  fi
  sleep 1
done
echo "the database refused $attempt times" >&2
exit 1
