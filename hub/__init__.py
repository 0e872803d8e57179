"""The hub: the people's door to their labs.

Owns how JupyterHub is set up here: who may come in (the bridge says who they are and which groups they are in),
where labs run, how Traefik learns the routes to them, when idle labs stop. It never reads or keeps a password,
never speaks CAS, and knows the bridge only as any OpenID Connect provider: by its addresses and a client secret.
"""
