#!/bin/sh
# Installs system packages of labs as root: git for nbgitpuller, and R on bases without conda.
# Usage: system.sh yes|no  (with R or without)
set -eu

with_r=$1
case "$with_r" in
  yes | no) ;;
  *)
    echo "LAB_R is '$with_r' but must be yes or no (see .env)." >&2
    exit 1
    ;;
esac

wanted=
command -v git >/dev/null || wanted=git
if [ "$with_r" = yes ] && ! command -v mamba >/dev/null && ! command -v conda >/dev/null &&
  ! Rscript -e 'library(IRkernel)' >/dev/null 2>&1; then
  wanted="$wanted r-base-core r-cran-irkernel"
fi
[ -n "$wanted" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "This base image has no apt-get to install$(echo " $wanted" | tr -s ' '):" \
    "use another base, install the packages in your own base, or set LAB_R=no in .env to omit R (lab/README.md)." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# A power cut during the build only loses the layer; syncing would take minutes on a busy disk.
# shellcheck disable=SC2086 # one word for each package
apt-get install -qq --yes -o Dpkg::Options::=--force-unsafe-io --no-install-recommends $wanted
rm -rf /var/lib/apt/lists/*
