"""The network of the labs: packet filter rules, the service that applies them, and the check before each start.

The service runs in the network namespace of the host with CAP_NET_ADMIN only. It has no Docker socket. Its state is
`state.py`. It identifies labs by the subnet of their network, which `.env` fixes.
"""
