#!/bin/sh
# Flags and subcommands go to Traefik, anything else runs as it stands: as in the official image.
set -e
case "${1:-}" in
  "" | -* | healthcheck | version | help) set -- traefik "$@" ;;
esac
exec "$@"
