"""`python -m tests.bench`: see --help."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tests.bench import report
from tests.bench.measure import Counts, measure, progress
from tests.bench.servers import CannotMeasureError

DESCRIPTION = """\
Measure what a complete sign-in costs the bridge:

  authorize -> (CAS) -> callback, which has CAS validate the ticket -> token -> userinfo

CPU is that of `passerelle serve` and all its processes, read from outside; CAS is a script in another process,
the application and its browsers live in this one, and neither counts. Wall time is what the four requests to the
bridge took: it holds the bridge's question to CAS but not the browser's visit there. Everything is on loopback and
in a temporary folder that is removed, and ends by itself after about half a minute."""
EPILOG = """\
examples:
  make bench                                 the table, and bench.json
  python -m tests.bench --sign-ins 2000      steadier figures
  python -m tests.bench --json before.json   keep them to compare with

Compare CPU rather than wall, and only runs on one machine, taken in turn. Exit status: 0 all well; 1 a step of a
sign-in failed, or nothing could be measured; 2 wrong arguments."""


def main() -> None:
    counts, json_file = _arguments()
    # As an exception, so that processes and folder go the same way as after any other end.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        results = measure(counts)
    except KeyboardInterrupt:
        sys.exit("Interrupted: everything is stopped, nothing was written.")
    except (CannotMeasureError, TimeoutError) as error:
        sys.exit(f"No figures: {error}")
    report.write_json(json_file, results)
    print(report.table(results), flush=True)
    progress(f"written to {json_file}")
    failed = [figures for figures in (*results["sign_in"], *results["steps"].values()) if figures["errors"]]
    for figures in failed:
        progress(f"{figures['errors']} of {figures['count']} failed: {'; '.join(figures['examples_of_errors'])}")
    sys.exit(1 if failed else 0)


def _arguments() -> tuple[Counts, Path]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, least, default, meaning in (
        ("--sign-ins", 1, 300, "in each batch"),
        ("--warm-ups", 0, 30, "before each batch, not counted; at least one on each connection"),
        ("--parallel", 1, 8, "connections of the second batch; the first has one"),
        ("--starts", 1, 3, "timed with an empty database, and as many with a used one"),
    ):
        parser.add_argument(
            option, type=_whole_number(least), default=default, metavar="N", help=f"{meaning} (default: {default})"
        )
    parser.add_argument(
        "--json", type=Path, default=Path("bench.json"), metavar="FILE", help="the same as JSON (default: bench.json)"
    )
    options = vars(parser.parse_args())
    json_file: Path = options.pop("json")
    if not json_file.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {json_file.absolute().parent}; make it first")
    return Counts(**options), json_file


def _whole_number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return number


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
