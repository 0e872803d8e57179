# shellcheck shell=bash
# shellcheck disable=SC2154 # state is prepare's
# restic for the tests of backups, in the version that Debian 13 installs in the hub's image. Sourced by prepare, whose
# say, die and quietly it uses.

readonly RESTIC_VERSION=0.18.0
readonly RESTIC_BUILD_SECONDS=600

prepare_restic() {
  local place="$state/restic-$RESTIC_VERSION"
  if [ -x "$place/restic" ]; then
    say "restic: $RESTIC_VERSION is installed"
    return
  fi
  command -v go >/dev/null || die "go is missing: install Go 1.23 or newer, then run this again."
  mkdir -p "$place" || die "$place cannot be created: set XDG_STATE_HOME to a writable folder."
  say "restic: building $RESTIC_VERSION from its Go module"
  # Go verifies downloads against the checksum database.
  GOBIN="$place" CGO_ENABLED=0 quietly restic-build \
    timeout "$RESTIC_BUILD_SECONDS" go install "github.com/restic/restic/cmd/restic@v$RESTIC_VERSION"
  say "restic: $RESTIC_VERSION built"
}
