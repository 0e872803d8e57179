"""The file in which the firewall service reports that its rules are in place.

Times are seconds since boot: all containers share them, no clock adjustment changes them, and after a reboot an old
report is in the future and so invalid. The module imports little, because a health check runs it every few seconds.
"""

import json
import sys
import time
from pathlib import Path

STATE_FILE = Path("/run/firewall/state.json")
MAX_AGE = 15  # seconds; the service verifies its rules every two seconds
MISSING = "the service firewall has never reported"


def report(fault: str, mode: str, hub: str, file: Path = STATE_FILE) -> None:
    """Write the result of a verification; an empty fault means that all rules are in place."""
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps({"fault": fault, "mode": mode, "hub": hub, "at": _now()}))
    draft.replace(file)


def find_fault(mode: str, hub: str, file: Path = STATE_FILE) -> str:
    """Return why the rules of this mode and hub are not known to be in place, or an empty string.

    An empty mode or address is not compared.
    """
    try:
        state = json.loads(file.read_text())
        fault, reported_mode, age = str(state["fault"]), state["mode"], _now() - float(state["at"])
        reported_hub = state["hub"]
    except FileNotFoundError:
        return MISSING
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"the report of the service firewall cannot be read: {error}"
    if not 0 <= age <= MAX_AGE:
        return "the service firewall does not run: its last report is too old"
    if not fault and mode and reported_mode != mode:
        return f"the service firewall applies LAB_NETWORK={reported_mode}, not {mode}"
    if not fault and hub and reported_hub != hub:
        return f"the rules of the service firewall do not name {hub}, the address of the hub"
    return fault


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    sys.exit(find_fault("", "") or 0)
