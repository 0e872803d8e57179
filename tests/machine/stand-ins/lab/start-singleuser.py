#!/opt/conda/bin/python
"""Becomes the hub's single-user server, with the arguments it was given."""

import os
import sys

os.execvp("jupyterhub-singleuser", ["jupyterhub-singleuser", *sys.argv[1:]])
