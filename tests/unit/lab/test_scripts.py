"""Additions to the lab's base image: with conda, with apt, with neither.

The installers are fakes; tests/e2e/test_bundle_labs.py builds on Debian and runs R.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.configure import main, merged

LAB = Path(__file__).parents[3] / "lab"
NEEDED = ("sh", "grep", "tr", "echo")  # programs of the machine; all others belong to the base


class Base:
    """A base image as a folder of commands that record their calls."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        for name in NEEDED:
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.add("rm")
        self.add("python", "echo /opt/conda")

    def add(self, name: str, does: str = "") -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{does}\n')
        (self.bin / name).chmod(0o755)

    def add_installer(self, name: str) -> None:
        """Add an installer that makes R available."""
        rscript = self.bin / "Rscript"
        made = f"printf '#!/bin/sh\\necho Rscript $* >> {self.calls}\\n' > {rscript}; /bin/chmod 755 {rscript}"
        self.add(name, f'case "$*" in *irkernel*) {made};; esac')

    def run(self, script: str, with_r: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(LAB / script), with_r],
            env={"PATH": str(self.bin), "HOME": os.devnull},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def called(self, name: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.split()[0] == name]


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


def built(base: Base, with_r: str) -> None:
    for script in ("system.sh", "r_kernel.sh"):
        done = base.run(script, with_r)
        assert done.returncode == 0, done.stderr


def test_debian_base_installs_r_and_git_with_apt(base: Base) -> None:
    base.add_installer("apt-get")
    base.add("jupyter", "echo '{}'")

    built(base, "yes")

    (install,) = [call for call in base.called("apt-get") if " --yes " in call]
    assert install.endswith("--no-install-recommends git r-base-core r-cran-irkernel")
    assert base.called("Rscript")[-1].endswith("/opt/conda")
    assert "IRkernel::installspec(user = FALSE" in base.called("Rscript")[-1]


@pytest.mark.parametrize("conda", ["mamba", "conda"])
def test_conda_base_installs_r_with_conda_only(base: Base, conda: str) -> None:
    base.add_installer(conda)
    base.add("apt-get")
    base.add("git")
    base.add("jupyter", 'echo \'{"kernelspecs": {"ir": {}}}\'')

    built(base, "yes")

    assert base.called("apt-get") == []
    assert base.called(conda)[0] == f"{conda} install --yes --quiet --channel conda-forge r-irkernel"
    assert not [call for call in base.called("Rscript") if "installspec" in call], "conda's package has done that"


def test_base_with_r_is_unchanged(base: Base) -> None:
    for name in ("Rscript", "mamba", "git"):
        base.add(name)
    base.add("jupyter", 'echo \'{"kernelspecs": {"ir": {}}}\'')

    built(base, "yes")

    assert base.called("mamba") == []


@pytest.mark.parametrize("with_conda", [True, False])
def test_r_is_optional(base: Base, with_conda: bool) -> None:
    base.add("apt-get")
    if with_conda:
        base.add("mamba")

    built(base, "no")

    assert base.called("mamba") == []
    assert not [call for call in base.called("apt-get") if "r-" in call.replace("apt-get", "").replace("--no-", "")]


def test_base_without_conda_and_apt_is_rejected(base: Base) -> None:
    done = base.run("system.sh", "yes")

    assert done.returncode == 1
    assert "has no apt-get to install git r-base-core r-cran-irkernel" in done.stderr
    assert "LAB_R=no" in done.stderr


def test_failed_r_installation_stops_build(base: Base) -> None:
    base.add("mamba")

    done = base.run("r_kernel.sh", "yes")

    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert "LAB_R=no" in done.stderr


@pytest.mark.parametrize("value", ["", "maybe", "YES", "yes; rm -rf /"])
def test_lab_r_must_be_yes_or_no(base: Base, value: str) -> None:
    done = base.run("system.sh", value)

    assert done.returncode == 1
    assert f"LAB_R is '{value}' but must be yes or no" in done.stderr


def test_base_settings_are_merged(tmp_path: Path) -> None:
    there = tmp_path / "etc/jupyter/jupyter_server_config.json"
    there.parent.mkdir(parents=True)
    there.write_text('{"ServerApp": {"x": 1}, "ResourceUseDisplay": {"track_disk_usage": true}}')

    main(tmp_path)

    assert json.loads(there.read_text()) == {
        "ServerApp": {"x": 1},
        "ResourceUseDisplay": {"track_disk_usage": True, "track_cpu_percent": True, "cpu_warning_threshold": 0},
    }
    assert (tmp_path / "share/jupyter/lab/settings/overrides.json").exists()


def test_our_settings_override_base_settings() -> None:
    assert merged({"a": {"b": 1}, "c": 2}, {"a": {"b": 0, "d": 3}, "c": {"e": 4}}) == {"a": {"b": 1, "d": 3}, "c": 2}
