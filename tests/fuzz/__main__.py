"""Fuzz the parsers: python -m tests.fuzz --seconds 300

Each target runs in its own process for that time, with atheris (coverage-guided) if it is installed, else with
hypothesis. The first failure ends the run with status 1 and prints the input in hexadecimal.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Protocol

NAMES = ("response", "logout", "endpoint")
INPUT_BYTES_MAX = 4096
CASES_PER_ROUND = 200
GROWTH_BYTES_MAX = 128 << 20
"""Growth of the whole process after 1,000 calls; most of it is the fuzzer's own corpus."""


class Target(Protocol):
    """Return the `targets.Target`, imported late so that atheris can instrument it."""

    calls: int
    slowest: float
    hungriest: int
    slowest_input: bytes

    @property
    def growth(self) -> int: ...

    def composed(self, data: bytes) -> bytes: ...

    def __call__(self, data: bytes) -> None: ...


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--target", choices=NAMES, help="this one alone, in this process")
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser.add_argument(
        "--engine", choices=("atheris", "hypothesis"), default="atheris" if has_atheris else "hypothesis"
    )
    wanted = parser.parse_args()
    if wanted.target:
        fuzz = _by_atheris if wanted.engine == "atheris" else _by_hypothesis
        return fuzz(wanted.target, wanted.seconds)
    again = [sys.executable, "-m", "tests.fuzz", "--seconds", str(wanted.seconds), "--engine", wanted.engine]
    return max(_in_a_process_of_its_own([*again, "--target", name]) for name in NAMES)


def _in_a_process_of_its_own(command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="passerelle-fuzz-") as folder:
        # The process is killed, and cannot clean up.
        inherited = os.environ | {"TMPDIR": folder}
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, env=inherited)
    if done.returncode:  # else it is output of libFuzzer
        print(done.stderr[-5_000:], file=sys.stderr)
    return done.returncode


def _by_atheris(name: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["bridge.cas", "bridge.web"]):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.seeds import SEEDS, WORDS

    gc.freeze()  # the application is not instrumented: its time would count as the parser's
    target, ends = TARGETS[name](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="passerelle-fuzz-") as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[name]):
            (corpus / str(number)).write_bytes(b"\0" + seed)
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))

        def one(data: bytes) -> None:
            # Exit here, because libFuzzer ends the process without notifying Python.
            is_good = _holds(target, name, data)
            if not is_good or time.monotonic() > ends:
                shutil.rmtree(folder)
                sys.stdout.flush()
                os._exit(_report(name, "atheris", target) if is_good else 1)

        options = [f"-max_len={INPUT_BYTES_MAX}", f"-dict={words}", "-verbosity=0", "-rss_limit_mb=0", str(corpus)]
        atheris.Setup([sys.argv[0], *options], one)
        atheris.Fuzz()
    return 1


def _by_hypothesis(name: str, seconds: int) -> int:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    from tests.fuzz.seeds import SEEDS, WORDS
    from tests.fuzz.targets import TARGETS

    target, ends, bad = TARGETS[name](), time.monotonic() + seconds, []
    seeds, bits = st.sampled_from(SEEDS[name]), st.one_of(st.sampled_from(WORDS), st.binary(max_size=12))
    cuts = st.tuples(seeds, st.integers(0, 1500), bits, st.integers(0, 60))
    damaged = cuts.map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + cut[3] :])
    inputs = st.tuples(st.integers(0, 255), st.one_of(damaged, st.lists(bits, max_size=30).map(b"".join)))

    @settings(max_examples=CASES_PER_ROUND, deadline=None, database=None)
    @given(inputs)
    def round_of(drawn: tuple[int, bytes]) -> None:
        if not bad and not _holds(target, name, bytes([drawn[0]]) + drawn[1]):
            bad.append(drawn)

    while not bad and time.monotonic() < ends:
        round_of()
    return 1 if bad else _report(name, "hypothesis", target)


def _holds(target: Target, name: str, data: bytes) -> bool:
    """Return whether an input passes; print a failure."""
    try:
        target(data)
    except Exception:  # noqa: BLE001  any exception is a finding
        print(f"FOUND in {name}, by {target.composed(data).hex()}:\n{traceback.format_exc()}", flush=True)
        return False
    return True


def _report(name: str, engine: str, target: Target) -> int:
    mib, grown = 1 << 20, target.growth
    print(
        f"{name}: {target.calls} inputs by {engine}, slowest {target.slowest * 1000:.1f} ms of CPU "
        f"(for {len(target.slowest_input)} bytes), "
        f"at most {target.hungriest / mib:.1f} MiB in a call (cap 16), "
        f"process grew by {grown / mib:.0f} MiB (cap {GROWTH_BYTES_MAX // mib})",
        flush=True,
    )
    return int(grown > GROWTH_BYTES_MAX)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
