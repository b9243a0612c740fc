# wait_for_service HOST PORT: returns once a connection opens; says once what it waits for. To be sourced.
wait_for_service() {
  local said=
  until timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; do
    [ -n "$said" ] || echo "waiting for service $1:$2"
    said=yes
    sleep 0.2
  done
}
