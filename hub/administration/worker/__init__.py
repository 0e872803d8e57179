"""What runs in the one-shot container: `/volumes/<kind>/<name>` are the volumes, `/target` is where a backup is.

Also `/checkout` and `/site`, the folders of compose.yml and .env, to read. Nothing here knows of Docker or JupyterHub.
"""
