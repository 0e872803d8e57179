"""Code of the one-shot container: it knows neither Docker nor JupyterHub."""
