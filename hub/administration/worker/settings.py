"""What an administrator wrote: .env, every file that it names, certificates, notices.

Kept with a backup as files, because a restored deployment begins with them; and read, so that the demo of a checkout
is not taken for the deployment whose settings are in its folder deployment/site/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hub.administration.faults import AdministrationError
from hub.administration.worker import archive
from hub.administration.worker.events import tell
from hub.administration.worker.manifest import Manifest
from hub.administration.worker.places import CHECKOUT, SITE, TARGET

KEPT = (
    ".env",
    "*.env",
    ".env.*",
    "*.toml",
    "compose*.y*ml",
    "deployment/certs/*",
    "deployment/conf.d/*",
    "deployment/notices/*",
)
NO_SETTINGS = frozenset({".gitkeep", "pyproject.toml", "README.md"})
AT_MOST = 1 << 20  # bytes of one file
# Its content is somebody else's to keep, and no setting.
NO_FILE = frozenset({"LAB_PUBLIC_FOLDER"})
_LINE = re.compile(
    r"\s*(?:export\s+)?(?P<name>\w+)\s*=\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>.*?))\s*(?:\s#.*)?"
)


def values(path: Path) -> dict[str, str]:
    """What an .env says, as it is written there; nothing if it is not there."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _LINE.fullmatch(line):
            found[match["name"]] = match["single"] or match["double"] or match["bare"] or ""
    return found


def keep_settings(manifest: Manifest, checkout: str) -> Manifest:
    """Copy them into the backup, with owners and rights.

    :param checkout: where CHECKOUT is on the machine
    """
    kept = []
    for name, path in sorted({**dict(_usual_files()), **dict(_named_files(checkout))}.items()):
        if path.stat().st_size > AT_MOST:
            tell("note", text=f"{name} is larger than a setting and not in the backup: keep it yourself.")
            continue
        copy = TARGET / "settings" / name
        archive.write_bytes(path.read_bytes(), copy)
        # The bridge reads some of them as a user of its own: what is laid out again has to be as open as it was.
        os.chown(copy, path.stat().st_uid, path.stat().st_gid)
        copy.chmod(path.stat().st_mode & 0o777)
        kept.append(f"settings/{name}")
    return manifest.model_copy(update={"settings": tuple(kept)})


def different_settings(manifest: Manifest) -> list[str]:
    """Which files of settings here are not as the backup has them."""
    different = []
    for name in manifest.settings:
        rest = name.removeprefix("settings/")
        here = (
            SITE / rest.removeprefix("deployment/site/")
            if rest.startswith("deployment/site/") and SITE.is_dir()
            else CHECKOUT / rest
        )
        kept = TARGET / name
        if not here.is_file() or (kept.is_file() and here.read_bytes() != kept.read_bytes()):
            different.append(rest)
    return different


def check_is_meant(project: str) -> None:
    """Raise if this is the checkout's own project, and site/ has the settings of another."""
    theirs = "" if SITE.is_dir() else values(CHECKOUT / "deployment/site/.env").get("COMPOSE_PROJECT_NAME", "")
    if theirs and theirs != project:
        raise AdministrationError(
            f"This is the project {project}, the checkout's own, and yours is {theirs}: type the command in its folder "
            "(cd deployment/site)."
        )


def check_no_strangers(manifest: Manifest) -> None:
    """Raise if the demo's users, whose passwords everybody knows, would come to homes that they had no part in."""
    kept = TARGET / "settings"
    if _demo(CHECKOUT / ".env", SITE / ".env") and not _demo(kept / ".env", kept / "deployment/site/.env"):
        raise AdministrationError(
            f"Here runs the demo's CAS (CAS_HOST), whose passwords everybody knows, and the backup is of "
            f"{manifest.project}, which had none: take the settings of the backup over first, and type this in the "
            "folder of its .env (cd deployment/site)."
        )


def _demo(*written: Path) -> str:
    """The host of the demo's CAS, if it is on; the last file that says something holds."""
    said: dict[str, str] = {}
    for path in written:
        said |= values(path)
    return said.get("CAS_HOST", "")


def _usual_files() -> Iterator[tuple[str, Path]]:
    for root, under in ((CHECKOUT, ""), (SITE, "deployment/site/")):
        for path in {path for pattern in KEPT for path in root.glob(pattern)}:
            name = f"{under}{path.relative_to(root)}"
            if path.is_symlink() and not path.exists():
                tell("note", text=f"{name} leads out of the checkout and is not in the backup: keep it yourself.")
            elif path.is_file() and path.name not in NO_SETTINGS:
                yield name, path


def _named_files(checkout: str) -> Iterator[tuple[str, Path]]:
    """Those that .env names, wherever in the checkout they are; relative names are from there, in site/ as well."""
    base = PurePosixPath(checkout or CHECKOUT)
    said = values(CHECKOUT / ".env") | values(SITE / ".env")
    for name, value in said.items():
        if not value.startswith(("./", "../", "/")) or name in NO_FILE:
            continue
        on_machine = PurePosixPath(os.path.normpath(base / value))
        path = CHECKOUT / on_machine.relative_to(base) if on_machine.is_relative_to(base) else None
        if path is not None and path.is_file():
            yield str(on_machine.relative_to(base)), path
        elif path is None or path.is_symlink():
            tell("note", text=f"{value} ({name}) is not in the checkout and so not in the backup: keep it yourself.")
