"""The administrator's commands, `passerelle hub …`: backup, restore, users, offboard, upgrade.

The modules here run in a container beside the hub: they query the Docker engine, decide, ask and print. The package
`worker` runs in a one-shot container that mounts the volumes of this deployment and has neither a network nor the
Docker socket. It reads and writes, and reports events as one JSON object per line.
"""


class AdministrationError(Exception):
    """The error of all commands and of the worker; its text says what happened, why, and what to do next."""
