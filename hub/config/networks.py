"""Which network labs are on: one with a way out or one without.

Both exist in every deployment, and hub and Traefik are on both (compose.yml), so that a change of the setting holds
for labs started from then on and cuts off none that runs. A further kind of way out would be a further answer here.
"""

from hub.config.settings import Reader

WAYS_OUT = ("yes", "no")
INTERNAL_SUFFIX = "-internal"  # as compose.yml names the network without a way out


def read_lab_network(read: Reader) -> str:
    """The full name of the network that labs are attached to."""
    network = read.text("LAB_NETWORK")
    way_out = read.choice("LAB_INTERNET", "yes", WAYS_OUT)
    return network if way_out == "yes" else f"{network}{INTERNAL_SUFFIX}"
