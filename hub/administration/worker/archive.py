"""One folder to one tar file and back: streamed, with a checksum, and with what a live folder does to it.

GNU tar does the reading: it knows sparse files, hard links and names of any bytes, and goes on when a file changes or
vanishes under it. What it says about that is kept with the part.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hub.administration.faults import AdministrationError

BLOCK = 1 << 20
AS_THEY_ARE = ("--numeric-owner", "--acls", "--xattrs", "--xattrs-include=user.*")
SAID_AT_MOST = 20  # lines of tar, for each part


@dataclass(frozen=True)
class Written:
    """A file that was written."""

    bytes: int
    sha256: str
    changed: tuple[str, ...] = ()
    """What tar said of files that changed while it read them."""
    unread: tuple[str, ...] = ()
    """What tar said of files that it could not read."""


class Hashed:
    """A file for writing that knows the checksum of what went into it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash, self.bytes = stream, hashlib.sha256(), 0

    def write(self, block: bytes) -> int:
        self._hash.update(block)
        self.bytes += len(block)
        return self._stream.write(block)

    def flush(self) -> None:
        self._stream.flush()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def write_tar(
    source: Path, target: Path, *, exclude: Sequence[str] = (), compress: bool, tick: Callable[[int], None]
) -> Written:
    """Write the folder into `target`, which appears when it is whole.

    :param exclude: patterns as GNU tar knows them, against the end of each path
    """
    command = ["tar", "--create", "--file=-", "--format=posix", "--sparse", "--one-file-system", *AS_THEY_ARE]
    command += ["--warning=no-file-ignored", *(f"--exclude={pattern}" for pattern in exclude)]
    with tempfile.TemporaryFile() as said, _draft(target) as draft:
        hashed = Hashed(draft)
        with subprocess.Popen([*command, "--directory", source, "."], stdout=subprocess.PIPE, stderr=said) as tar:  # noqa: S603  no shell
            try:
                _copy(_pipe(tar.stdout), hashed, compress=compress, tick=tick)
            except BaseException:
                tar.kill()
                raise
        lines = _lines(said)
    if tar.returncode > 1:
        return Written(hashed.bytes, hashed.sha256, unread=lines or (f"tar ended with {tar.returncode}",))
    return Written(hashed.bytes, hashed.sha256, changed=lines)


def write_bytes(content: bytes, target: Path) -> Written:
    """Write a small file whole, or not at all."""
    with _draft(target) as draft:
        draft.write(content)
    return Written(len(content), hashlib.sha256(content).hexdigest())


def sha256_of(path: Path, tick: Callable[[int], None] = lambda _: None) -> str:
    """The checksum of a file as the disk has it."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            tick(len(block))
    return digest.hexdigest()


def extract_tar(source: Path, target: Path, *, tick: Callable[[int], None]) -> None:
    """Lay out a tar file in a folder, with owners and modes as they were."""
    command = ["tar", "--extract", "--file=-", "--same-owner", "--same-permissions", *AS_THEY_ARE]
    with tempfile.TemporaryFile() as said, source.open("rb") as raw:
        packed = gzip.GzipFile(fileobj=raw) if source.name.endswith(".gz") else raw
        with subprocess.Popen([*command, "--directory", target], stdin=subprocess.PIPE, stderr=said) as tar:  # noqa: S603  no shell
            sink = _pipe(tar.stdin)
            try:
                while block := packed.read(BLOCK):
                    sink.write(block)
                    tick(len(block))
                sink.close()
            except BrokenPipeError:
                pass  # it says why
        lines = _lines(said)
    if tar.returncode:
        why = "; ".join(lines[:3]) or f"tar ended with {tar.returncode}"
        raise AdministrationError(f"{source.name} could not be laid out: {why}.")


def allocated(folder: Path, leave: Iterable[str] = ()) -> int:
    """The bytes that a folder takes on its disk; what cannot be looked at counts nothing."""
    command = ["du", "--summarize", "--block-size=1", "--one-file-system", *(f"--exclude={name}" for name in leave)]
    done = subprocess.run([*command, folder], capture_output=True, check=False)  # noqa: S603  no shell
    first = done.stdout.split(b"\t", 1)[0]
    return int(first) if first.isdigit() else 0


class _draft:  # noqa: N801  used like a function
    """A file under a name for the time being; renamed when all is well, removed when not."""

    def __init__(self, target: Path) -> None:
        self._target, self._path = target, target.with_name(f".{target.name}.part")

    def __enter__(self) -> IO[bytes]:
        self._target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stream = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        return self._stream

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            with self._stream as stream:
                if kind is None:
                    stream.flush()
                    os.fsync(stream.fileno())
            if kind is None:
                self._path.replace(self._target)
        finally:
            self._path.unlink(missing_ok=True)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("a pipe was asked for")
    return stream


def _copy(source: IO[bytes], hashed: Hashed, *, compress: bool, tick: Callable[[int], None]) -> None:
    packed = gzip.GzipFile(fileobj=hashed, mode="wb", compresslevel=1, mtime=0, filename="") if compress else None
    while block := source.read(BLOCK):
        (packed or hashed).write(block)
        tick(len(block))
    if packed:
        packed.close()


def _lines(said: IO[bytes]) -> tuple[str, ...]:
    """What tar said; names come from users, and nothing in them may steer a terminal."""
    said.seek(0)
    text = said.read(1 << 16).decode(errors="replace")
    lines = ["".join(letter if letter.isprintable() else "?" for letter in line) for line in text.splitlines()]
    told = [line for line in lines if "Exiting with failure status" not in line]
    return tuple(told[:SAID_AT_MOST])
