"""Command line of the benchmark; see --help."""

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
Measure the cost of a complete sign-in to the bridge:

  authorize -> (CAS) -> callback, which has CAS validate the ticket -> token -> userinfo

CPU time is that of `passerelle serve` and its child processes. CAS runs in another process; the client and its
browsers run in this one. Neither is counted. Elapsed time is that of the four requests to the bridge: it includes
ticket validation, but not the browser's request to CAS. All traffic stays on loopback, and all files are in a
temporary folder that is removed. A run takes about half a minute."""
EPILOG = """\
examples:
  make bench                                 print the table, write bench.json
  python -m tests.bench --sign-ins 2000      reduce the variance
  python -m tests.bench --json before.json   keep the results for a comparison

Compare CPU time rather than elapsed time, and only runs on one machine. Exit status: 0 success; 1 a step of a
sign-in failed or the measurement failed; 2 invalid arguments."""


def main() -> None:
    counts, json_file = _arguments()
    # Raise an exception, so that processes and the folder are cleaned up as usual.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        results = measure(counts)
    except KeyboardInterrupt:
        sys.exit("Interrupted: all processes are stopped, nothing was written.")
    except (CannotMeasureError, TimeoutError) as error:
        sys.exit(f"Measurement failed: {error}")
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
        "--json", type=Path, default=Path("bench.json"), metavar="FILE", help="JSON report (default: bench.json)"
    )
    options = vars(parser.parse_args())
    json_file: Path = options.pop("json")
    if not json_file.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {json_file.absolute().parent}; make it first")
    return Counts(**options), json_file


def _whole_number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer of at least {least}")
        return int(text)

    return number


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
