#!/bin/bash
# The entrypoint: started as root it steps down to the notebook user, otherwise it just goes on.
set -e
[ "$#" -gt 0 ] || set -- bash
if [ "$(id -u)" = 0 ]; then
  exec setpriv --reuid "${NB_UID}" --regid "${NB_GID}" --init-groups "$@"
fi
exec "$@"
