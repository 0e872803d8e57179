"""The administrator's command, `passerelle hub …`: backup, restore, users, offboard, upgrade.

Two halves. The modules here run where the command is typed, in a container of the hub's image beside the running hub:
they look at the engine, decide, ask and print. `inside/` runs in a one-shot container that sees the volumes of this
deployment and nothing else: no network, no Docker socket. It reads and writes, and says what it does as one JSON
object a line.
"""
