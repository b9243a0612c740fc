#!/bin/bash
# Starts the message broker as this container's only service: puts the cookie and the first user's password,
# both from the Secret, where only this user reads them, then becomes the Erlang machine.
set -eu
umask 077
printf '%s' "$RABBITMQ_COOKIE" > "$HOME/.erlang.cookie"
printf 'default_user = %s\ndefault_pass = %s\n' "$RABBITMQ_USER" "$RABBITMQ_PASSWORD" > /run/rabbitmq/90-user.conf
unset RABBITMQ_COOKIE RABBITMQ_USER RABBITMQ_PASSWORD
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
