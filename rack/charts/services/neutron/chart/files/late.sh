#!/bin/bash
# late.sh HOST:PORT COMMAND...: becomes the command once that service takes connections. For agents that nothing waits for
# at first: their own start costs seconds of processor time, which others need more.
set -eu
trap 'exit 143' TERM
host=${1%:*} port=${1#*:}
shift
echo "waiting for service $host:$port before starting"
until timeout 2 bash -c "exec 3<>/dev/tcp/$host/$port" 2> /dev/null; do sleep 2; done
exec "$@"
