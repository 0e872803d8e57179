# shellcheck shell=bash
# shellcheck disable=SC2154 # state is prepare's
# Pebble, a real ACME authority that Let's Encrypt maintains for client tests. Sourced by prepare, which defines say,
# die and quietly; tests/support/docker/acme_authority.py runs it in a container.

readonly PEBBLE_VERSION=2.10.1
readonly PEBBLE_BUILD_SECONDS=300

prepare_acme() {
  local place="$state/pebble-$PEBBLE_VERSION"
  if [ -x "$place/pebble" ]; then
    say "acme: Pebble $PEBBLE_VERSION is installed"
    return
  fi
  command -v go >/dev/null || die "go is missing: install Go 1.24 or newer, then run this again."
  mkdir -p "$place" || die "cannot create $place: set XDG_STATE_HOME to a writable directory."
  say "acme: building Pebble $PEBBLE_VERSION from its Go module"
  # Without C, so that it runs in any container. Go verifies downloads with the checksum database.
  GOBIN="$place" CGO_ENABLED=0 quietly acme-build \
    timeout "$PEBBLE_BUILD_SECONDS" go install "github.com/letsencrypt/pebble/v2/cmd/pebble@v$PEBBLE_VERSION"
  say "acme: Pebble $PEBBLE_VERSION built"
}
