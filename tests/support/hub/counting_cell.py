"""A notebook cell that runs while a command of compose changes the deployment."""

from tests.support.bridge.journey import RUN_WAIT, Journey
from tests.support.docker.deployment import Deployment

CELL = """\
import time
from pathlib import Path
began, n, ended = time.time(), 0, Path("ended")
while not ended.exists():
    print(n, end=" ")
    n += 1
    time.sleep(0.2)
ended.unlink()
print(began, time.time())
"""


def count_during(deployment: Deployment, person: Journey, *compose: str) -> tuple[float, float]:
    """Run a cell while `docker compose …` runs, and check that it continues and that its output is complete.

    Returns:
        The start and the end of the cell, in seconds since the epoch.
    """
    cell = person.start_cell(CELL)
    person.wait(lambda: person.output_of(cell) != "", "output of the cell", RUN_WAIT)
    deployment.compose(*compose)
    shown = person.output_of(cell)
    person.wait(lambda: person.output_of(cell) != shown, "new output, as the page has reconnected", RUN_WAIT)
    deployment.docker("exec", f"{deployment.project}-lab-{person.user}", "touch", "ended")
    *counted, began, ended = person.finish_cell(cell).split()
    assert " ".join(counted) == " ".join(str(n) for n in range(len(counted)))
    return float(began), float(ended)
