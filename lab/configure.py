"""Merge of the JSON files in this folder into the base image's settings, during the build."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACES = {
    # Disables the dialog about Jupyter news.
    "overrides.json": Path("share/jupyter/lab/settings/overrides.json"),
    # Enables the CPU meter without its warning, which compares percent with a limit in processors: an idle lab with
    # one processor would be shown in red.
    "server.json": Path("etc/jupyter/jupyter_server_config.json"),
}


def merged(ours: dict[str, object], theirs: dict[str, object]) -> dict[str, object]:
    """Merge two objects; ours override theirs."""
    both = {**theirs, **ours}
    for name, mine in ours.items():
        other = theirs.get(name)
        if isinstance(mine, dict) and isinstance(other, dict):
            both[name] = merged(mine, other)
    return both


def main(prefix: Path) -> None:
    """Write each merged file below this Python prefix."""
    for name, place in PLACES.items():
        target = prefix / place
        theirs = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        ours = json.loads((HERE / name).read_text(encoding="utf-8"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(merged(ours, theirs), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.prefix))
