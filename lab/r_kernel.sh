#!/bin/sh
# Installs the R kernel as the lab's user: from conda if the base has it, else for the R of system.sh.
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
    "see the lines above, or set LAB_R=no in .env to omit R (lab/README.md)." >&2
  exit 1
fi
# The conda package registers the kernel itself.
jupyter kernelspec list --json | grep -q '"ir"' || Rscript -e 'IRkernel::installspec(user = FALSE, prefix = commandArgs(TRUE))' "$prefix"
