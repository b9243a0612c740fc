#!/bin/bash
# Starts the message broker as this container's only service: puts the cookie, the user and its password, all from the
# Secret, where only this user reads them, then becomes the Erlang machine.
set -eu
umask 077
printf '%s' "$RABBITMQ_COOKIE" > "$HOME/.erlang.cookie"
# Read at each start, not only at the first: a password that was rotated counts, although the user is in the broker's own
# database. User and password are URL-safe texts, so they need no escapes.
cat > /run/rabbitmq/definitions.json <<JSON
{
  "users": [{ "name": "$RABBITMQ_USER", "password": "$RABBITMQ_PASSWORD", "tags": "administrator" }],
  "vhosts": [{ "name": "/" }],
  "permissions": [{ "user": "$RABBITMQ_USER", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" }]
}
JSON
echo 'load_definitions = /run/rabbitmq/definitions.json' > /run/rabbitmq/90-user.conf
unset RABBITMQ_COOKIE RABBITMQ_USER RABBITMQ_PASSWORD

# A power cut can leave a database that the broker does not start with. Whatever is in it is of calls that are long over, and
# services declare their queues again: after three starts that did not come as far as listening it is moved aside, once.
database=$HOME/mnesia starts=$HOME/starts-in-vain
in_vain=$(cat "$starts" 2> /dev/null || true)
case $in_vain in '' | *[!0-9]*) in_vain=0 ;; esac
if [ "$in_vain" -ge 3 ] && [ -d "$database" ]; then
  echo "the broker did not start three times: its database is moved to $database.damaged, and it begins with an empty one"
  rm -rf "$database.damaged"
  mv "$database" "$database.damaged"
  in_vain=0
fi
echo $((in_vain + 1)) > "$starts"
listens=$(printf ':%04X 0+:0000 0A ' "$LISTENS_AT")
unset LISTENS_AT
(
  until cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -Eq "$listens"; do sleep 1; done
  echo 0 > "$starts"
) &

# The broker looks for its boot steps in every module of every application that it depends on, and so loads, and
# translates, six hundred modules of Erlang's own that have none: a third of its start. These copies of the applications'
# descriptions, which go before the originals, name no modules; what is really used is loaded when it is.
mkdir -p /run/rabbitmq/applications
awk -v RS='\001' '{
  name = FILENAME
  sub(".*/", "", name)
  if (name ~ /^(rabbit|osiris|kernel|stdlib)/) next
  sub(/\{modules,[^]]*\]/, "{modules, []")
  print > ("/run/rabbitmq/applications/" name)
}' /usr/lib/erlang/lib/*/ebin/*.app /usr/lib/rabbitmq/lib/*/plugins/*/ebin/*.app
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS -pa /run/rabbitmq/applications"
exec /usr/lib/rabbitmq/bin/rabbitmq-server
