"""What the checkout would bring: read, so that an upgrade can be told before it is done."""

from __future__ import annotations

from hub.administration.worker.events import tell
from hub.administration.worker.places import CHECKOUT

IMAGES = ("hub", "bridge", "lab")
MIGRATIONS = "bridge/store/migrations/versions"


def tell_checkout() -> None:
    """Requirements of the images and migrations of the bridge."""
    locks = {name: CHECKOUT / "requirements" / f"{name}.txt" for name in IMAGES}
    tell(
        "checkout",
        requirements={name: path.read_text(encoding="utf-8") for name, path in locks.items() if path.is_file()},
        migrations=sorted(path.stem for path in (CHECKOUT / MIGRATIONS).glob("[0-9]*.py")),
    )
