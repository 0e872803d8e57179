# shellcheck shell=bash
# shellcheck disable=SC2154 # repository, state and python are prepare's
# A real Matrix server for the tests, as an application that people sign in at: Synapse, from Python packages, in an
# environment of its own. Sourced by prepare, whose say, die and quietly it uses; tests/clients starts it.

prepare_synapse() {
  local lock="$repository/requirements/synapse.txt" place version
  version=$(sed -n 's/^matrix-synapse==\([^ ]*\).*/\1/p' "$lock")
  place="$state/synapse-$(sha256sum "$lock" | cut -c 1-12)"
  if [ -f "$place/ready" ]; then
    say "synapse: $version is there"
    return
  fi
  one_at_a_time
  choose_python
  rm -rf "$place" # what an interrupted run left
  say "synapse: installing $version from the Python index (230 MB)"
  quietly synapse-environment "$python" -m venv "$place"
  quietly synapse-install "$place/bin/python" -m pip install --disable-pip-version-check --only-binary :all: \
    --require-hashes --requirement "$lock"
  touch "$place/ready"
  say "synapse: $version installed"
}
