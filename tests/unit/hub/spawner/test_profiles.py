"""From which image a lab starts: what is offered to whom, the form, and choices that nobody may make."""

import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyterhub.spawner import SpawnException

from hub.config.hub_toml import GroupRules, HubToml, Image
from hub.culler.policy import Lifetimes, Limits
from hub.spawner.docker_checks import TRACKS_ACTIVITY_LABEL, tracks_kernel_activity
from hub.spawner.profiles import (
    ImageChoice,
    choose,
    missing_images,
    offered,
    options_form,
    options_from_form,
    without_activity_tracking,
)
from tests.support.docker.recording_engine import RecordingEngine

PYTHON = Image(name="Python")
R = Image(name="R & statistics", image="r-lab:2026", description="For <Statistics 1>")
GPU = Image(name="Deep learning", image="gpu-lab", groups=("staff",))
DECLARED = HubToml(images=(PYTHON, R, GPU))


def lab(*groups: str, chosen: dict[str, object] | None = None, last: object = None) -> SimpleNamespace:
    return SimpleNamespace(
        user=SimpleNamespace(groups=[SimpleNamespace(name=group) for group in groups]),
        user_options=chosen or {},
        orm_spawner=SimpleNamespace(user_options=last),
        image="",
    )


def refused(chosen: object, *groups: str) -> str:
    one = lab(*groups, chosen={"image": chosen}, last={"image": chosen})
    with pytest.raises(SpawnException) as caught:
        ImageChoice(DECLARED, "own").before_start(one)
    assert caught.value.status_code == 403
    assert one.image == ""
    assert one.orm_spawner.user_options == {}, "the next start without a choice must not repeat this one"
    return str(caught.value.message)


def test_without_a_file_everybody_gets_the_image_that_compose_built() -> None:
    choice, one = ImageChoice(HubToml(), "own"), lab("students")

    choice.before_start(one)

    assert one.image == "own"
    assert choice.form(one) == ""


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ((), ["Python", "R & statistics"]),
        (("students",), ["Python", "R & statistics"]),
        (("staff",), ["Python", "R & statistics", "Deep learning"]),
        (("Staff", "staff2"), ["Python", "R & statistics"]),
    ],
)
def test_images_are_offered_by_group_in_the_order_of_the_file(groups: tuple[str, ...], names: list[str]) -> None:
    assert [image.name for image in offered(DECLARED, groups, "own")] == names


def test_an_image_without_a_name_of_its_own_is_the_one_that_compose_built() -> None:
    assert ImageChoice(DECLARED, "own").allowed_images(lab()) == {"Python": "own", "R & statistics": "r-lab:2026"}


def test_who_chooses_nothing_gets_the_first() -> None:
    one = lab("staff")
    ImageChoice(DECLARED, "own").before_start(one)
    assert one.image == "own"


def test_who_chooses_gets_what_they_chose() -> None:
    one = lab("staff", chosen={"image": "Deep learning"})
    ImageChoice(DECLARED, "own").before_start(one)
    assert one.image == "gpu-lab"


@pytest.mark.parametrize("chosen", ["Deep learning", "gpu-lab", "own", "alpine", "", "python", "R &amp; statistics"])
def test_a_forged_choice_is_refused_with_what_there_is_to_choose_from(chosen: str) -> None:
    assert "Start again with one of: 'Python', 'R & statistics'." in refused(chosen, "students")


@pytest.mark.parametrize("chosen", [["Python", "R & statistics"], {"name": "Python"}, 7, True, [], ["Python"]])
def test_a_choice_that_is_no_name_is_refused(chosen: object) -> None:
    assert "not one that you may choose" in refused(chosen)


def test_a_huge_choice_is_not_told_back_whole() -> None:
    assert len(refused("x" * 100_000)) < 250


def test_who_is_offered_nothing_is_told_whom_to_ask() -> None:
    with pytest.raises(SpawnException) as caught:
        offered(HubToml(images=(GPU,)), {"students"}, "own")

    assert "Ask the administrator" in str(caught.value.message)
    assert "students" in caught.value.log_message


class Form(HTMLParser):
    """The inputs of a form, and what belongs to them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inputs: list[dict[str, str | None]] = []
        self.labels: list[str | None] = []
        self.ids: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id"))
        if tag == "input":
            self.inputs.append(found)
        if tag == "label":
            self.labels.append(found.get("for"))


def test_the_form_needs_no_script_and_every_button_has_its_label() -> None:
    text = options_form([PYTHON, R], None)
    form = Form(text)

    assert [one["value"] for one in form.inputs] == ["Python", "R & statistics"]
    assert [one["type"] for one in form.inputs] == ["radio", "radio"]
    assert form.labels == [one["id"] for one in form.inputs]
    assert form.inputs[1]["aria-describedby"] in form.ids
    assert "<legend>" in text
    assert not re.search(r"<script|\son\w+=", text)
    assert "<Statistics" not in text


@pytest.mark.parametrize(("last", "marked"), [(None, 0), ("R & statistics", 1), ("gone", 0), (["R"], 0), (7, 0)])
def test_the_last_choice_is_marked_if_it_is_still_there(last: object, marked: int) -> None:
    form = Form(options_form([PYTHON, R], last))
    assert [number for number, one in enumerate(form.inputs) if "checked" in one] == [marked]


def test_one_image_needs_no_form() -> None:
    assert options_form([PYTHON], None) == ""


def test_a_form_brings_one_name_and_nothing_else() -> None:
    assert options_from_form({"image": ["R"], "mem_limit": ["64G"], "_xsrf": ["x"]}) == {"image": "R"}
    assert options_from_form({"mem_limit": ["64G"]}) == {}


def test_two_values_in_a_form_are_no_choice() -> None:
    chosen = options_from_form({"image": ["Python", "Deep learning"]})
    with pytest.raises(SpawnException):
        choose([PYTHON], chosen["image"])


def test_two_images_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"same name \(Python\)"):
        HubToml(images=(PYTHON, Image(name="Python", image="other")))


def test_the_images_that_are_not_there_yet_are_told() -> None:
    assert missing_images(["a", "b", "c"], {"b"}.__contains__) == ["a", "c"]


@pytest.mark.parametrize(
    ("everybody", "groups", "told"),
    [
        (Limits(idle_timeout=3600), {}, ["theirs"]),
        (Limits(), {"students": GroupRules(idle_timeout=600)}, ["theirs"]),
        (Limits(max_age=3600), {"students": GroupRules(idle_timeout=0)}, []),  # nobody's lab is stopped as idle
    ],
)
def test_images_from_which_silent_work_is_no_use_are_told(
    everybody: Limits, groups: dict[str, GroupRules], told: list[str]
) -> None:
    lifetimes = Lifetimes(everybody, HubToml(groups=groups))
    assert without_activity_tracking(["ours", "theirs"], {"ours"}.__contains__, lifetimes) == told


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ((200, {"Id": "1", "Config": {"Labels": {TRACKS_ACTIVITY_LABEL: "yes"}}}), True),
        ((200, {"Id": "1", "Config": {"Labels": {"maintainer": "Jupyter"}}}), False),
        ((200, {"Id": "1", "Config": {"Labels": None}}), False),
        ((200, {"Id": "1", "Config": None}), False),
        ((404, {"message": "No such image"}), True),  # which is told in other words
    ],
)
def test_the_engine_knows_the_images_that_count_it(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, object], counts: bool
) -> None:
    with RecordingEngine() as engine:
        threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.server_port}")
        engine.answers["/images/one/json"] = [answer]
        assert tracks_kernel_activity("one") is counts
        engine.shutdown()


def test_the_lab_that_is_shipped_counts_it() -> None:
    dockerfile = (Path(__file__).parents[4] / "lab" / "Dockerfile").read_text(encoding="utf-8")
    assert f'\nLABEL {TRACKS_ACTIVITY_LABEL}="yes"\n' in dockerfile
