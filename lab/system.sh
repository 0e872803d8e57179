#!/bin/sh
# What labs need of the base's own packages, as root: git for nbgitpuller, and R where conda does not bring it.
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
  echo "This base image has no apt-get, from which to install$(echo " $wanted" | tr -s ' '):" \
    "take another base, install that in a base of your own, or leave R out with LAB_R=no in .env (lab/README.md)." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
apt-get install -qq --yes --no-install-recommends $wanted
rm -rf /var/lib/apt/lists/*
