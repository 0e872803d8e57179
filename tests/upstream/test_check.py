"""`passerelle check` against CAS servers of other projects."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.bridge.live_bridge import PASSERELLE
from tests.support.cas.real_cas import RealCas
from tests.upstream.site import Site, site_at

SECRET_KEY = "7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e2d"


def run_check(site: Site, *options: str) -> dict[str, dict[str, Any]]:
    """Return the findings by ID and compare the exit status with them."""
    command = [PASSERELLE, "check", "--json", *options]
    done = subprocess.run(command, env=site.bridge.environment, capture_output=True, text=True, timeout=90, check=False)
    found = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == any(one["level"] == "FAULT" for one in found.values()), done.stderr
    return found


def test_intact_site_has_no_fault_and_shows_sign_ins(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_SECRET_KEY=SECRET_KEY) as site:
        found = run_check(site)

        assert [name for name, one in found.items() if one["level"] in ("FAULT", "warning")] == [
            *(["cas.certificate"] if "expires in" in found["cas.certificate"]["seen"] else [])
        ]
        assert found["cas.service"]["level"] == "ok"
        assert "There has been no sign-in yet" in found["attributes.released"]["seen"]
        for protocol in cas.protocols:
            assert protocol in found["cas.protocol"]["seen"]
        assert ("JSON" in found["cas.protocol"]["seen"]) is cas.speaks_json

        person = site.person()
        site.sign_in(person)
        found = run_check(site)
        assert found["attributes.released"]["level"] == found["attributes.claims"]["level"] == "ok" or (
            "given_name" in found["attributes.claims"]["seen"]  # what this server's user does not have
        )
        assert "displayName" in found["attributes.released"]["seen"]
        assert found["logout.last"]["level"] == "note"

        person.at_cas.sign_out()
        assert "second" in run_check(site)["logout.last"]["seen"]


def test_unregistered_service_is_only_fault(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, is_registered=False, PASSERELLE_SECRET_KEY=SECRET_KEY) as site:
        found = run_check(site)

    assert [name for name, one in found.items() if one["level"] == "FAULT"] == ["cas.service"]
