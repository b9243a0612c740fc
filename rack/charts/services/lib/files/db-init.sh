#!/bin/bash
# Makes the service's databases and their user; again and again gives the same. Root's password comes from the
# environment, never from a command line. One database more records which jobs are done.
set -eu
trap 'exit 143' TERM
. /opt/pilotlight/wait.sh
wait_for_service "$DB_HOST" "$DB_PORT"
export MYSQL_PWD="$DB_ROOT_PASSWORD"
statements() {
  echo "CREATE USER IF NOT EXISTS '$DB_USER'@'%';"
  echo "ALTER USER '$DB_USER'@'%' IDENTIFIED BY '$DB_PASSWORD';"
  for name in $DB_NAMES ${DB_USER}_jobs; do
    echo "CREATE DATABASE IF NOT EXISTS $name CHARACTER SET utf8;"
    echo "GRANT ALL PRIVILEGES ON $name.* TO '$DB_USER'@'%';"
  done
  echo "CREATE TABLE IF NOT EXISTS ${DB_USER}_jobs.done (name varchar(64) PRIMARY KEY, at timestamp);"
}
for attempt in 1 2 3 4 5; do
  if statements |
    mariadb --no-defaults --connect-timeout=5 --host="$DB_HOST" --port="$DB_PORT" --user=root; then
    echo "databases are there for user $DB_USER: $DB_NAMES"
    exit 0
  fi
  sleep 1
done
echo "the database refused $attempt times" >&2
exit 1
