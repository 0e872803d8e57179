"""Print a pip.conf for containers with the package index of this machine.

Containers must use the same index as the machine that builds them. It is passed as a file, because an index URL may
contain a password, which a build argument would expose in the process list.
"""

import ast
import subprocess
import sys

CARRIED = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
WEAKEST_FIRST = ("global", "user", "site", "install", ":env:")


def carried_settings(listing: str) -> dict[str, str]:
    """Return the index settings of `pip config list`; the source with the highest precedence wins."""
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
