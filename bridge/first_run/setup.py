"""Creation of the files of a new installation. No file is overwritten; files of an interrupted run are reused."""

import os
import pwd
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import BridgeError
from bridge.first_run.answers import Answers, settings_text
from bridge.oauth.keys import KeyRing
from bridge.settings import CONFIG_NAME, FILE_NAME, Settings, load
from bridge.store import Store

SETTINGS_MODE = 0o644
SECRET_MODE = 0o600
FOLDER_MODE = 0o755
DATA_FOLDER_MODE = 0o700


class SetupError(BridgeError):
    """The installation cannot be created. Nothing was overwritten."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that runs the bridge."""

    name: str
    uid: int
    gid: int


def find_owner(name: str | None) -> Owner:
    """Return the named user, or the calling user."""
    if name is None:
        return Owner("", os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        command = f"useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {name}"
        raise SetupError(
            f"There is no user {name} on this machine. Create it, then run this again:\n  {command}"
        ) from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise SetupError(f"Only root can create files for {name}: run this as root, or omit the user.")
    return Owner(name, entry.pw_uid, entry.pw_gid)


def check_not_set_up(folder: Path) -> None:
    """Raise SetupError if there is a settings file; called before the questions."""
    if os.path.lexists(folder / FILE_NAME):
        raise _exists_error(folder / FILE_NAME)


def set_up(answers: Answers, owner: Owner) -> Settings:
    """Create the secret key, the database and last the settings file; it can be repeated after a failure."""
    file = answers.folder / FILE_NAME
    check_not_set_up(answers.folder)
    with _as_setup_error():
        _make_folder(answers.folder, FOLDER_MODE, owner, owned=False)
        if answers.database_url_file is None:
            _make_folder(answers.data, DATA_FOLDER_MODE, owner, owned=True)
        _write_new(answers.secret_key_file, f"{secrets.token_hex(32)}\n", SECRET_MODE, owner)
        draft = answers.folder / f".{FILE_NAME}.{secrets.token_hex(4)}"
        try:
            _write(draft, settings_text(answers), SETTINGS_MODE, None)
            Store.preload(load({CONFIG_NAME: str(draft)}).database_url.get_secret_value())
            with run_as(owner):
                settings = load({CONFIG_NAME: str(draft)})
                _make_database(settings)
            if not _link(draft, file):
                raise _exists_error(file)
        finally:
            draft.unlink(missing_ok=True)
    return settings


@contextmanager
def run_as(owner: Owner) -> Iterator[None]:
    """Run a block as the user that runs the bridge, so that new files belong to it and access is tested."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    if owner.uid == before[0]:
        yield
        return
    os.setgroups([owner.gid])
    os.setegid(owner.gid)
    os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
        os.setgroups(before[2])


def _make_database(settings: Settings) -> None:
    """Create the tables and the first signing keys."""
    umask = os.umask(0o077)
    try:
        with closing(Store(settings.database_url.get_secret_value())) as store:
            KeyRing(store, settings.secret_key.get_secret_value(), time.time)
    finally:
        os.umask(umask)


def _make_folder(folder: Path, mode: int, owner: Owner, *, owned: bool) -> None:
    """Create a folder and its parents, independent of root's umask; an existing folder is not changed."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        _make_folder(folder.parent, FOLDER_MODE, owner, owned=False)
    with suppress(FileExistsError):  # created by a concurrent run; a file of this name fails later
        folder.mkdir(mode=mode)
        if owner.uid != os.geteuid():
            # Opened without following links: a user with write access to the parent could have replaced the folder.
            made = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.fchmod(made, mode)
                if owned:
                    os.fchown(made, owner.uid, owner.gid)
            finally:
                os.close(made)


def _write_new(file: Path, text: str, mode: int, owner: Owner | None) -> None:
    """Write a file completely or not at all; reuse an existing one that only root or the owner could access."""
    if os.path.lexists(file):
        found, trusted = file.lstat(), {0, os.geteuid(), owner.uid if owner else os.geteuid()}
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in trusted:
            raise SetupError(f"{file} exists, and other users could have read it. Remove it, then run this again.")
        return
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        _write(draft, text, mode, owner)
        _link(draft, file)  # of two concurrent runs, the second uses the file of the first
    finally:
        draft.unlink(missing_ok=True)


def _write(file: Path, text: str, mode: int, owner: Owner | None) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        if owner is not None and owner.uid != os.geteuid():
            os.fchown(descriptor, owner.uid, owner.gid)
        os.fchmod(descriptor, mode)
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)


def _link(draft: Path, file: Path) -> bool:
    """Give a draft its final name. Unlike a rename, a link never replaces an existing file."""
    try:
        os.link(draft, file)
    except FileExistsError:
        return False
    return True


def _exists_error(file: Path) -> SetupError:
    return SetupError(
        f"{file} exists, so nothing was changed. To change a setting, edit the file and run `passerelle check`; to "
        "start over, move the file away."
    )


@contextmanager
def _as_setup_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SetupError(f"Cannot create {error.filename or 'the files'}: {reason}.") from None
    except UnicodeEncodeError:
        raise SetupError("The name of a folder or file is not UTF-8 text: rename it.") from None
