"""One setting decides whether labs have a way out."""

from pathlib import Path

import pytest
import yaml

from hub.config.networks import read_lab_network
from hub.config.settings import Reader, SettingsError

COMPOSE = yaml.safe_load((Path(__file__).parents[4] / "compose.yml").read_text())


@pytest.mark.parametrize(("given", "network"), [("", "p-labs"), ("yes", "p-labs"), ("no", "p-labs-internal")])
def test_the_setting_chooses_the_network(given: str, network: str) -> None:
    reader = Reader({"LAB_NETWORK": "p-labs", "LAB_INTERNET": given})
    assert read_lab_network(reader) == network
    reader.check()


@pytest.mark.parametrize("given", ["No", "off", "false", "0", "internal"])
def test_another_word_is_refused_rather_than_taken_for_a_yes(given: str) -> None:
    reader = Reader({"LAB_NETWORK": "p-labs", "LAB_INTERNET": given})
    read_lab_network(reader)
    with pytest.raises(SettingsError, match=r"LAB_INTERNET is .* must be one of: yes, no"):
        reader.check()


def test_both_networks_exist_whatever_is_chosen_and_one_has_no_way_out() -> None:
    prefix = "${COMPOSE_PROJECT_NAME}-labs"
    assert COMPOSE["networks"]["labs"] == {"name": prefix}
    assert COMPOSE["networks"]["labs-internal"] == {"name": f"{prefix}-internal", "internal": True}


def test_those_whom_labs_need_are_on_both_and_nobody_else_is_on_either() -> None:
    for network in ("labs", "labs-internal"):
        on_it = {name for name, one in COMPOSE["services"].items() if network in one.get("networks", [])}
        assert on_it == {"hub", "traefik"}
