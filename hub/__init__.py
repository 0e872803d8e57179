"""The JupyterHub of the deployment: authentication, lab containers, routes, culling, storage and administration.

The hub stores no passwords and does not speak CAS. It uses the bridge like any OpenID Connect provider, by its URLs and
a client secret.
"""
