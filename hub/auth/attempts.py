"""Limits on failed sign-ins with a password, by name and by client address.

After some failures each further one doubles the time in which attempts are rejected unseen. The time is bounded, and
an address from which a user signed in before is exempt from the limit of that name, so that no attacker can lock the
user out. All state is in memory and bounded.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_DELAY = 60  # seconds
FORGET_AFTER = 900  # seconds since the last failure
MAX_ENTRIES = 20_000
FREE_FAILURES = {"name": 5, "address": 30}
"""Failures without a delay. A classroom shares one address."""

Key = tuple[str, str]


@dataclass
class Failures:
    """The failures of a name or an address; times are of the clock."""

    count: int = 0
    last: float = 0.0

    def delay(self, free: int) -> float:
        """Return the seconds after the last failure in which attempts are rejected."""
        return 0.0 if self.count < free else float(min(MAX_DELAY, 2 ** min(self.count - free, 10)))


class AttemptLimits:
    """Counts failures. An attempt counts as one until it succeeds, so that parallel attempts count as well."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[Key, Failures] = OrderedDict()
        self._signed_in: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Record an attempt, or return the seconds until the next one if it must be rejected; 0 to go on."""
        now, network = self._clock(), address_network(address)
        self._forget(now)
        wait = 0.0
        keys = self._keys(name, network)
        for key in keys:
            failures = self._failures.get(key, Failures())
            wait = max(wait, failures.last + failures.delay(FREE_FAILURES[key[0]]) - now)
        if wait > 0:
            return wait
        for key in keys:
            failures = self._failures.setdefault(key, Failures())
            failures.count, failures.last = failures.count + 1, now
            self._failures.move_to_end(key)
        return 0.0

    def succeed(self, name: str, address: str) -> None:
        """Forget the failures of the name, and that this attempt counted for the address."""
        network = address_network(address)
        self._failures.pop(("name", name), None)
        self.cancel(name, address)
        self._signed_in[name, network] = None
        self._signed_in.move_to_end((name, network))
        if len(self._signed_in) > MAX_ENTRIES:
            self._signed_in.popitem(last=False)

    def cancel(self, name: str, address: str) -> None:
        """Take back an attempt whose password was not checked, for example during an outage."""
        for key in self._keys(name, address_network(address)):
            if (failures := self._failures.get(key)) is not None:
                failures.count = max(0, failures.count - 1)

    def _keys(self, name: str, network: str) -> list[Key]:
        keys = [("address", network)]
        return keys if (name, network) in self._signed_in else [("name", name), *keys]

    def _forget(self, now: float) -> None:
        """Remove the oldest entries if they are too old or too many."""
        while self._failures:
            oldest = next(iter(self._failures.values()))
            if now - oldest.last <= FORGET_AFTER and len(self._failures) <= MAX_ENTRIES:
                break
            self._failures.popitem(last=False)


def address_network(address: str) -> str:
    """Return the address that counts: IPv4, also mapped into IPv6, as it is; IPv6 by its /64 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((int(parsed), 64), strict=False))


def retry_after(wait: float) -> str:
    """Return the value of a Retry-After header."""
    return str(math.ceil(wait))
