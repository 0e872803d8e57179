"""Prints, as a pip.conf for containers, where this machine's pip looks for packages.

Containers must use the same index as the machine that builds them. It travels as a file, because an
index address may hold a password and a build argument would show it to everyone in the process list.
"""

import ast
import subprocess
import sys

CARRIED = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
WEAKEST_FIRST = ("global", "user", "site", "install", ":env:")


def carried_settings(listing: str) -> dict[str, str]:
    """The carried settings in `pip config list`, the strongest source of each winning."""
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, _, quoted = line.partition("=")
        source, _, key = name.rpartition(".")
        key = key.removeprefix("default-")
        if key in CARRIED and source in WEAKEST_FIRST:
            rank = WEAKEST_FIRST.index(source)
            if key not in found or found[key][0] <= rank:
                found[key] = (rank, ast.literal_eval(quoted))
    return {key: value for key, (_, value) in found.items()}


def main() -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    print("[global]")
    for key, value in sorted(carried_settings(listing).items()):
        print(f"{key} = " + "\n    ".join(value.split()))


if __name__ == "__main__":
    main()
