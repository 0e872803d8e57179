"""Guard between the hub and the Docker engine.

The hub connects to the guard's socket, because access to the engine's own is equivalent to root. The guard
admits the calls of `routes.py`, containers and volumes that match `creation.py` and the settings, and nothing else. It
sends the engine a request of its own, built from what it has checked, never the text that the hub sent.

The guard never creates, starts or reads anything by itself, and it serves no user. Decision 19 has the reasons.
"""
