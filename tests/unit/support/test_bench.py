"""The benchmark: small but complete runs, without limits on the figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import main
from tests.bench.load import Tally
from tests.bench.process_tree import ProcessTree
from tests.bench.servers import ROOT

REFUSING_CAS = """
from contextlib import contextmanager
from tests.bench import __main__, measure
from tests.support.cas.scripted_cas import ScriptedCas

@contextmanager
def refusing_cas(folder):
    with ScriptedCas() as cas:
        cas.script = lambda exchange: exchange.reply(b"<html>out of order</html>")
        yield cas.url

measure.running_cas = refusing_cas
__main__.main()
"""
SMALL = ("--sign-ins=2", "--warm-ups=1", "--parallel=1", "--starts=1")
BURN = "import time\nwhile time.process_time() < 0.3: pass\n"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_small_run_reports_same_figures_as_table_and_json(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    run = bench("--sign-ins=4", "--warm-ups=1", "--parallel=2", "--starts=1", f"--json={file}")
    assert run.returncode == 0, run.stderr
    results = json.loads(file.read_text())
    assert results["format"] == 1
    assert [batch["connections"] for batch in results["sign_in"]] == [1, 2]
    assert list(results["steps"]) == ["authorize", "callback", "token", "userinfo", "healthz"]
    for figures in (*results["sign_in"], *results["steps"].values()):
        assert (figures["count"], figures["errors"]) == (4, 0)
        assert 0 < figures["elapsed_ms_median"] <= figures["elapsed_ms_p95"]
    assert all(batch["cpu_ms"] > 0 for batch in results["sign_in"])
    assert all(rest["mib"] > 10 for rest in results["at_rest"])
    assert results["machine"]["python"]
    shown = f"{results['sign_in'][0]['cpu_ms']:.2f}"
    assert re.search(rf"^sign-in, 1 connection +{re.escape(shown)} ", run.stdout, re.M), run.stdout


def test_failed_step_fails_the_run_with_reason(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    command = [sys.executable, "-c", REFUSING_CAS, *SMALL, f"--json={file}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "2 of 2 failed: /cas/callback: 502 in place of 303" in run.stderr
    assert "check the CAS URL" in run.stderr, "the bridge's own log goes with the folder, so its end is shown"
    assert json.loads(file.read_text())["sign_in"][0]["errors"] == 2


@pytest.mark.parametrize("arguments", [["--sign-ins=0"], ["--parallel=many"], ["--json=no/such/folder/bench.json"]])
def test_invalid_arguments_are_rejected_before_start(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "bench: memory" not in capsys.readouterr().err


def test_help_explains_measurement_and_comparison(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--help"])
    with pytest.raises(SystemExit):
        main()
    text = capsys.readouterr().out
    assert "authorize -> (CAS) -> callback" in text
    assert "Compare CPU time rather than elapsed time" in text


def test_cpu_of_tree_includes_finished_descendants() -> None:
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\n{BURN}print(1, flush=True)\ninput()"
    )
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        used = ProcessTree(process.pid).cpu_seconds()
        process.communicate(b"\n")
    assert used > 0.58


def test_wait_until_idle_times_out_on_busy_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        with pytest.raises(TimeoutError, match="still busy"):
            ProcessTree(process.pid).wait_until_idle(limit_seconds=0.5)
        process.kill()


def test_figures_of_batch_are_per_sign_in_with_errors() -> None:
    elapsed = [n / 1000 for n in range(1, 20)]
    tally = Tally(step_seconds=elapsed, errors=["/token: 400 in place of 200"], cpu_seconds=0.06, elapsed_seconds=2)
    figures = tally.figures()
    assert (figures["count"], figures["errors"]) == (20, 1)
    assert (figures["cpu_ms"], figures["elapsed_ms_median"], figures["elapsed_ms_p95"]) == (3.0, 10.0, 19.0)
    assert figures["per_second"] == 9.5
