#!/bin/sh
# The R kernel, as the user of the lab: from conda where the base has it, else registered with what system.sh installed.
# Usage: r_kernel.sh yes|no
set -eu

[ "$1" = yes ] || exit 0
prefix=$(python -c 'import sys; print(sys.prefix)')

if ! Rscript -e 'library(IRkernel)' >/dev/null 2>&1; then
  for conda in mamba conda; do
    command -v "$conda" >/dev/null || continue
    "$conda" install --yes --quiet --channel conda-forge r-irkernel
    "$conda" clean --all --force-pkgs-dirs --yes --quiet
    break
  done
fi
if ! Rscript -e 'library(IRkernel)'; then
  echo "R or its package IRkernel is missing on this base and could not be installed:" \
    "see the lines above, or leave R out with LAB_R=no in .env (lab/README.md)." >&2
  exit 1
fi
# conda's package registers itself.
jupyter kernelspec list --json | grep -q '"ir"' || Rscript -e 'IRkernel::installspec(user = FALSE, prefix = commandArgs(TRUE))' "$prefix"
