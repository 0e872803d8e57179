# shellcheck shell=bash
# shellcheck disable=SC2154 # repository, state and python are prepare's
# Synapse, a real Matrix server, as an OAuth client for the tests: from Python packages, in its own environment.
# Sourced by prepare, which defines say, die and quietly; tests/clients starts it.

prepare_synapse() {
  local lock="$repository/requirements/synapse.txt" place version
  version=$(sed -n 's/^matrix-synapse==\([^ ]*\).*/\1/p' "$lock")
  place="$state/synapse-$(sha256sum "$lock" | cut -c 1-12)"
  if [ -f "$place/ready" ]; then
    say "synapse: $version is installed"
    return
  fi
  one_at_a_time
  choose_python
  rm -rf "$place" # left by an interrupted run
  say "synapse: installing $version from the package index (230 MB)"
  quietly synapse-environment "$python" -m venv "$place"
  quietly synapse-install "$place/bin/python" -m pip install --disable-pip-version-check --only-binary :all: \
    --require-hashes --requirement "$lock"
  touch "$place/ready"
  say "synapse: $version installed"
}
