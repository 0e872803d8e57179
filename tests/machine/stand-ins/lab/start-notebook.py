#!/opt/conda/bin/python
"""The image's default command: the single-user server when a hub started it, else JupyterLab alone."""

import os
import sys

if "JUPYTERHUB_API_TOKEN" in os.environ:
    command = ["start-singleuser.py"]
else:
    command = ["jupyter", os.environ.get("DOCKER_STACKS_JUPYTER_CMD", "lab")]
os.execvp(command[0], [*command, *sys.argv[1:]])
