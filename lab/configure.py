"""Puts the JSON files of this folder beside what the base image already has; run once, while the image is built."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACES = {
    # No question about news of the Jupyter project in front of every student.
    "overrides.json": Path("share/jupyter/lab/settings/overrides.json"),
    # The resource meter shows processors too. Without its warning of them: it takes the limit in processors for one in
    # percent, so an idle lab with one processor would be shown in red.
    "server.json": Path("etc/jupyter/jupyter_server_config.json"),
}


def merged(ours: dict[str, object], theirs: dict[str, object]) -> dict[str, object]:
    """Both; ours where they disagree."""
    both = {**theirs, **ours}
    for name, mine in ours.items():
        other = theirs.get(name)
        if isinstance(mine, dict) and isinstance(other, dict):
            both[name] = merged(mine, other)
    return both


def main(prefix: Path) -> None:
    """Write each file to its place below the folder of this Python."""
    for name, place in PLACES.items():
        target = prefix / place
        theirs = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        ours = json.loads((HERE / name).read_text(encoding="utf-8"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(merged(ours, theirs), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.prefix))
