"""The hub's settings and the parts of the JupyterHub configuration derived from them."""
