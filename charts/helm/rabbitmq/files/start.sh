#!/bin/bash
# Starts the message broker as this container's only service: puts the cookie and the first user's password,
# both from the Secret, where only this user reads them, then becomes the Erlang machine.
set -eu
umask 077
printf '%s' "$RABBITMQ_COOKIE" > "$HOME/.erlang.cookie"
printf 'default_user = %s\ndefault_pass = %s\n' "$RABBITMQ_USER" "$RABBITMQ_PASSWORD" > /run/rabbitmq/90-user.conf
unset RABBITMQ_COOKIE RABBITMQ_USER RABBITMQ_PASSWORD
exec /usr/lib/rabbitmq/bin/rabbitmq-server
