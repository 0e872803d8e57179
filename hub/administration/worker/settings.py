"""The administrator's files in the checkout: settings, certificates, notices, and what an upgrade would bring.

Settings are part of a backup, because a restored deployment begins with them. They are also read, so that the demo of
a checkout is not mistaken for the deployment in deployment/site/.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hub.administration import AdministrationError
from hub.administration.worker import repository, runtime
from hub.administration.worker.manifest import Manifest
from hub.administration.worker.runtime import emit

IMAGES = ("hub", "bridge", "lab")
MIGRATIONS = "bridge/store/migrations/versions"
SETTINGS_PATTERNS = (
    ".env",
    "*.env",
    ".env.*",
    "*.toml",
    "compose*.y*ml",
    "deployment/certs/*",
    "deployment/conf.d/*",
    "deployment/notices/*",
)
EXCLUDED_NAMES = frozenset({".gitkeep", "pyproject.toml", "README.md"})
MAX_SIZE = 1 << 20  # bytes of one file
SITE_PREFIX = "deployment/site/"
# Values that name a path but no settings file: a folder, and the password that opens the backup itself.
EXCLUDED_SETTINGS = frozenset({"LAB_PUBLIC_FOLDER", "HUB_BACKUP_PASSWORD_FILE"})
_LINE = re.compile(
    r"\s*(?:export\s+)?(?P<name>\w+)\s*=\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>.*?))\s*(?:\s#.*)?"
)


def parse_env(text: str) -> dict[str, str]:
    """Return the variables of an .env file, as Compose reads them."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match["name"]: match["single"] or match["double"] or match["bare"] or "" for match in matches if match}


def read_env(*paths: Path) -> dict[str, str]:
    """Return the variables of these .env files; missing files count as empty, and the last one wins."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file())
    return parse_env("\n".join(texts))


def copy_settings(checkout: str) -> tuple[str, ...]:
    """Copy the settings files into the staging folder; return their names, relative to the checkout."""
    copied = []
    for name, path in sorted({**dict(_usual_files()), **dict(_named_files(checkout))}.items()):
        status = path.stat()
        if status.st_size > MAX_SIZE:
            emit("message", f"note: {name} is too large for a settings file and is not in the backup: keep a copy.")
            continue
        copy = runtime.STAGING / "settings" / name
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(path, copy)
        # The bridge reads some of them as another user, so their permissions must survive a restore.
        os.chown(copy, status.st_uid, status.st_gid)
        copy.chmod(status.st_mode & 0o777)
        copied.append(name)
    return tuple(copied)


def saved_settings(snapshot: str, manifest: Manifest) -> dict[str, bytes]:
    """Return the settings files of a snapshot."""
    if not manifest.settings:
        return {}
    files = repository.read_folder(snapshot, runtime.STAGING / "settings")
    return {name: files.get(name, b"") for name in manifest.settings}


def changed_settings(saved: Mapping[str, bytes]) -> list[str]:
    """Return the settings files that differ from the saved ones."""
    changed = []
    for name, content in saved.items():
        current = runtime.CHECKOUT / name
        if name.startswith(SITE_PREFIX) and runtime.SITE.is_dir():
            current = runtime.SITE / name.removeprefix(SITE_PREFIX)
        if not current.is_file() or current.read_bytes() != content:
            changed.append(name)
    return changed


def check_project(project: str) -> None:
    """Raise if this is the checkout's own project although deployment/site/ has the settings of another."""
    env = {} if runtime.SITE.is_dir() else read_env(runtime.CHECKOUT / SITE_PREFIX / ".env")
    other = env.get("COMPOSE_PROJECT_NAME", "")
    if other and other != project:
        raise AdministrationError(
            f"this command runs for {project}, the project of the checkout, but your deployment is {other}: run it in "
            "the folder deployment/site."
        )


def check_no_demo_users(saved: Mapping[str, bytes], manifest: Manifest) -> None:
    """Raise if users of the demo's CAS, whose passwords are public, would get the homes of real users."""
    current = read_env(runtime.CHECKOUT / ".env", runtime.SITE / ".env")
    files = (saved.get(name, b"") for name in (".env", f"{SITE_PREFIX}.env"))
    before = parse_env("\n".join(content.decode(errors="replace") for content in files))
    if current.get("CAS_HOST") and not before.get("CAS_HOST"):
        raise AdministrationError(
            f"this project runs the demo's CAS (CAS_HOST), whose passwords are public, and the backup of "
            f"{manifest.project} does not: restore its settings first (--settings-to), then run this in the folder of "
            "its .env (deployment/site)."
        )


def read_checkout() -> dict[str, Any]:
    """Return the locked requirements of the images and the migrations of the bridge."""
    locks = {name: runtime.CHECKOUT / "requirements" / f"{name}.txt" for name in IMAGES}
    return {
        "requirements": {name: path.read_text(encoding="utf-8") for name, path in locks.items() if path.is_file()},
        "migrations": sorted(path.stem for path in (runtime.CHECKOUT / MIGRATIONS).glob("[0-9]*.py")),
    }


def _usual_files() -> Iterator[tuple[str, Path]]:
    for root, prefix in ((runtime.CHECKOUT, ""), (runtime.SITE, SITE_PREFIX)):
        for path in {path for pattern in SETTINGS_PATTERNS for path in root.glob(pattern)}:
            name = f"{prefix}{path.relative_to(root)}"
            if path.is_symlink() and not path.exists():
                emit("message", f"note: {name} is a link out of the checkout and not in the backup: keep a copy.")
            elif path.is_file() and path.name not in EXCLUDED_NAMES:
                yield name, path


def _named_files(checkout: str) -> Iterator[tuple[str, Path]]:
    """Yield files in the checkout that .env names; relative names start there, also in deployment/site/.env."""
    base = PurePosixPath(checkout or runtime.CHECKOUT)
    for name, value in read_env(runtime.CHECKOUT / ".env", runtime.SITE / ".env").items():
        if not value.startswith(("./", "../", "/")) or name in EXCLUDED_SETTINGS:
            continue
        on_machine = PurePosixPath(os.path.normpath(base / value))
        path = runtime.CHECKOUT / on_machine.relative_to(base) if on_machine.is_relative_to(base) else None
        if path is not None and path.is_file():
            yield str(on_machine.relative_to(base)), path
        elif path is None or path.is_symlink():
            emit("message", f"note: {value} ({name}) is outside the checkout and not in the backup: keep a copy.")
