"""Makes the files of a first run. Nothing that is there is overwritten; what an interrupted run left is used again."""

from __future__ import annotations

import os
import pwd
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import BridgeError
from bridge.first_run.answers import Answers, settings_text
from bridge.oauth.keys import KeyRing
from bridge.settings import CONFIG_NAME, FILE_NAME, Settings, load
from bridge.store import SqlStore

SETTINGS_MODE = 0o644
SECRET_MODE = 0o600
FOLDER_MODE = 0o755
DATA_FOLDER_MODE = 0o700


class SetupError(BridgeError):
    """Something is in the way; nothing was overwritten."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that the bridge runs as."""

    name: str
    uid: int
    gid: int


def find_owner(name: str | None) -> Owner:
    """That user, or whoever calls.

    :raises SetupError: when there is no such user, or only root could make files for it
    """
    if name is None:
        return Owner("", os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        make = f"useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {name}"
        raise SetupError(f"There is no user {name} on this machine. Make it, then run this again:\n  {make}") from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise SetupError(f"Only root can make files for {name}: run this as root, or without naming another user.")
    return Owner(name, entry.pw_uid, entry.pw_gid)


def check_not_set_up(folder: Path) -> None:
    """Before anybody is asked anything.

    :raises SetupError: when there is a settings file
    """
    if os.path.lexists(folder / FILE_NAME):
        raise _there_already(folder / FILE_NAME)


def set_up(answers: Answers, owner: Owner) -> Settings:
    """Secret key, database with its keys, and, when all that is there, the settings file.

    :raises BridgeError: when it cannot be done; running it again goes on where this ended
    """
    file = answers.folder / FILE_NAME
    check_not_set_up(answers.folder)
    with _told_in_one_sentence():
        _make_folder(answers.folder, FOLDER_MODE, owner, is_theirs=False)
        if answers.database_url_file is None:
            _make_folder(answers.data, DATA_FOLDER_MODE, owner, is_theirs=True)
        _write_new(answers.secret_key_file, f"{secrets.token_hex(32)}\n", SECRET_MODE, owner)
        draft = answers.folder / f".{FILE_NAME}.{secrets.token_hex(4)}"
        try:
            _write(draft, settings_text(answers), SETTINGS_MODE, None)
            with run_as(owner):
                settings = load({CONFIG_NAME: str(draft)})
                _make_database(settings)
            if not _takes_its_place(draft, file):
                raise _there_already(file)
        finally:
            draft.unlink(missing_ok=True)
    return settings


@contextmanager
def run_as(owner: Owner) -> Iterator[None]:
    """What root makes in between belongs to the user that the bridge runs as, who also could have made it."""
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
    """Its tables, and the first signing keys in it."""
    usual = os.umask(0o077)
    try:
        store = SqlStore(settings.database_url.get_secret_value())
        try:
            KeyRing(store, settings.secret_key.get_secret_value(), time.time)
        finally:
            store.close()
    finally:
        os.umask(usual)


def _make_folder(folder: Path, mode: int, owner: Owner, *, is_theirs: bool) -> None:
    """With what is above it; one that is there stays as it is. Its user can get there, whatever root's umask says."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        _make_folder(folder.parent, FOLDER_MODE, owner, is_theirs=False)
    with suppress(FileExistsError):  # by another run at the same time; a file in its place shows soon enough
        folder.mkdir(mode=mode)
        if owner.uid != os.geteuid():
            # Not by its name: who may write above it could have put a link there by now.
            made = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.fchmod(made, mode)
                if is_theirs:
                    os.fchown(made, owner.uid, owner.gid)
            finally:
                os.close(made)


def _write_new(file: Path, text: str, mode: int, owner: Owner | None) -> None:
    """All of it or nothing, unless there is one of that name that nobody else knows or could have put there."""
    if os.path.lexists(file):
        found, ours = file.lstat(), {0, os.geteuid(), owner.uid if owner else os.geteuid()}
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in ours:
            raise SetupError(
                f"{file} is there already, and others may know what is in it: remove it, then run this again."
            )
        return
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        _write(draft, text, mode, owner)
        _takes_its_place(draft, file)  # of two runs at once, the second uses what the first wrote
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


def _takes_its_place(draft: Path, file: Path) -> bool:
    """A link is the one way to give a file its name that never takes it from another."""
    try:
        os.link(draft, file)
    except FileExistsError:
        return False
    return True


def _there_already(file: Path) -> SetupError:
    return SetupError(
        f"{file} is there already, and nothing was changed. To change a setting, edit it and run `passerelle check`; "
        "to begin anew, move it away first."
    )


@contextmanager
def _told_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SetupError(f"Cannot make {error.filename or 'the files'}: {reason}.") from None
    except UnicodeEncodeError:
        raise SetupError(
            "The name of a folder or file is no UTF-8 text, as all in the settings is: rename it."
        ) from None
