#!/bin/sh
# Installs the home meter for the base image's Jupyter.
set -eu
here=$(dirname "$0")
prefix=$(python -c 'import sys; print(sys.prefix)')
cp "$here/passerelle_home.py" "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/"
mkdir -p "$prefix/etc/jupyter/jupyter_server_config.d" "$prefix/share/jupyter/labextensions/passerelle-home"
cp "$here/server.json" "$prefix/etc/jupyter/jupyter_server_config.d/passerelle_home.json"
cp -r "$here/labextension/." "$prefix/share/jupyter/labextensions/passerelle-home/"
