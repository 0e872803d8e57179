"""Image profiles: available images by group, the spawn form, and invalid choices."""

import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyterhub.spawner import SpawnException

from hub.config.hub_toml import GroupRules, HubToml, Image
from hub.culler.policy import Lifetimes, Limits
from hub.spawner.profiles import (
    TRACKS_ACTIVITY_LABEL,
    ImageChoice,
    available_images,
    choose_image,
    image_warnings,
    options_from_form,
    render_options_form,
)
from tests.support.docker.recording_engine import RecordingEngine

PYTHON = Image(name="Python")
R = Image(name="R & statistics", image="r-lab:2026", description="For <Statistics 1>")
GPU = Image(name="Deep learning", image="gpu-lab", groups=("staff",))
HUB_TOML = HubToml(images=(PYTHON, R, GPU))


def lab(*groups: str, chosen: dict[str, object] | None = None, last: object = None) -> SimpleNamespace:
    return SimpleNamespace(
        user=SimpleNamespace(groups=[SimpleNamespace(name=group) for group in groups]),
        user_options=chosen or {},
        orm_spawner=SimpleNamespace(user_options=last),
        image="",
    )


def rejection(chosen: object, *groups: str) -> str:
    one = lab(*groups, chosen={"image": chosen}, last={"image": chosen})
    with pytest.raises(SpawnException) as caught:
        ImageChoice(HUB_TOML, "default").before_start(one)
    assert caught.value.status_code == 403
    assert one.image == ""
    assert one.orm_spawner.user_options == {}, "the next start must not reuse the invalid choice"
    return str(caught.value.message)


def test_default_image_is_used_without_hub_toml() -> None:
    choice, one = ImageChoice(HubToml(), "default"), lab("students")

    choice.before_start(one)

    assert one.image == "default"
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
def test_images_are_available_by_group_in_file_order(groups: tuple[str, ...], names: list[str]) -> None:
    assert [image.name for image in available_images(HUB_TOML, groups, "default")] == names


def test_image_without_reference_is_default_image() -> None:
    assert ImageChoice(HUB_TOML, "default").allowed_images(lab()) == {
        "Python": "default",
        "R & statistics": "r-lab:2026",
    }


def test_first_image_is_used_without_choice() -> None:
    one = lab("staff")
    ImageChoice(HUB_TOML, "default").before_start(one)
    assert one.image == "default"


def test_chosen_image_is_used() -> None:
    one = lab("staff", chosen={"image": "Deep learning"})
    ImageChoice(HUB_TOML, "default").before_start(one)
    assert one.image == "gpu-lab"


@pytest.mark.parametrize(
    "chosen", ["Deep learning", "gpu-lab", "default", "alpine", "", "python", "R &amp; statistics"]
)
def test_forged_choice_is_rejected_with_alternatives(chosen: str) -> None:
    assert "Start again with one of: 'Python', 'R & statistics'." in rejection(chosen, "students")


@pytest.mark.parametrize("chosen", [["Python", "R & statistics"], {"name": "Python"}, 7, True, [], ["Python"]])
def test_choice_that_is_not_a_name_is_rejected(chosen: object) -> None:
    assert "is not available to you" in rejection(chosen)


def test_long_choice_is_shortened_in_message() -> None:
    assert len(rejection("x" * 100_000)) < 250


def test_user_without_images_is_referred_to_administrator() -> None:
    with pytest.raises(SpawnException) as caught:
        available_images(HubToml(images=(GPU,)), {"students"}, "default")

    assert "Ask the administrator" in str(caught.value.message)
    assert "students" in caught.value.log_message


class Form(HTMLParser):
    """The inputs, labels and ids of a form."""

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


def test_form_has_labels_and_no_script() -> None:
    text = render_options_form([PYTHON, R], None)
    form = Form(text)

    assert [one["value"] for one in form.inputs] == ["Python", "R & statistics"]
    assert [one["type"] for one in form.inputs] == ["radio", "radio"]
    assert form.labels == [one["id"] for one in form.inputs]
    assert form.inputs[1]["aria-describedby"] in form.ids
    assert "<legend>" in text
    assert not re.search(r"<script|\son\w+=", text)
    assert "<Statistics" not in text


@pytest.mark.parametrize(("last", "checked"), [(None, 0), ("R & statistics", 1), ("gone", 0), (["R"], 0), (7, 0)])
def test_last_choice_is_checked_if_available(last: object, checked: int) -> None:
    form = Form(render_options_form([PYTHON, R], last))
    assert [number for number, one in enumerate(form.inputs) if "checked" in one] == [checked]


def test_single_image_needs_no_form() -> None:
    assert render_options_form([PYTHON], None) == ""


def test_form_sets_image_only() -> None:
    assert options_from_form({"image": ["R"], "mem_limit": ["64G"], "_xsrf": ["x"]}) == {"image": "R"}
    assert options_from_form({"mem_limit": ["64G"]}) == {}


def test_two_values_in_form_are_rejected() -> None:
    chosen = options_from_form({"image": ["Python", "Deep learning"]})
    with pytest.raises(SpawnException):
        choose_image([PYTHON], chosen["image"])


def test_image_names_are_unique() -> None:
    with pytest.raises(ValueError, match=r"same name \(Python\)"):
        HubToml(images=(PYTHON, Image(name="Python", image="other")))


TRACKING = (200, {"Id": "1", "Config": {"Labels": {TRACKS_ACTIVITY_LABEL: "yes"}}})
OTHER = (200, {"Id": "1", "Config": {"Labels": {"maintainer": "Jupyter"}}})
IDLE_LABS = Lifetimes(Limits(idle_timeout=3600), HubToml())


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingEngine]:
    with RecordingEngine() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def test_missing_images_are_listed(engine: RecordingEngine) -> None:
    missing = (404, {"message": "No such image"})
    engine.answers |= {"/images/a/json": [missing], "/images/b/json": [TRACKING], "/images/c/json": [missing]}
    first, second = image_warnings(["a", "b", "c"], IDLE_LABS)
    assert "the image a of hub.toml is not on this server" in first
    assert "the image c of hub.toml is not on this server" in second


def test_unresponsive_engine_gives_no_image_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert image_warnings(["a"], IDLE_LABS) == []


@pytest.mark.parametrize(
    ("default", "groups", "listed"),
    [
        (Limits(idle_timeout=3600), {}, 1),
        (Limits(), {"students": GroupRules(idle_timeout=600)}, 1),
        (Limits(max_age=3600), {"students": GroupRules(idle_timeout=0)}, 0),  # no lab is culled as idle
    ],
)
def test_images_without_activity_tracking_are_listed(
    engine: RecordingEngine, default: Limits, groups: dict[str, GroupRules], listed: int
) -> None:
    engine.answers |= {"/images/ours/json": [TRACKING], "/images/theirs/json": [OTHER]}
    warnings = image_warnings(["ours", "theirs"], Lifetimes(default, HubToml(groups=groups)))
    assert len([text for text in warnings if "the image theirs of hub.toml does not report kernels" in text]) == listed
    assert len(warnings) == listed


@pytest.mark.parametrize(
    ("answer", "tracks"),
    [
        (TRACKING, True),
        (OTHER, False),
        ((200, {"Id": "1", "Config": {"Labels": None}}), False),
        ((200, {"Id": "1", "Config": None}), False),
    ],
)
def test_image_label_shows_activity_tracking(engine: RecordingEngine, answer: tuple[int, object], tracks: bool) -> None:
    engine.answers["/images/one/json"] = [answer]
    assert (image_warnings(["one"], IDLE_LABS) == []) is tracks


def test_lab_dockerfile_sets_activity_label() -> None:
    dockerfile = (Path(__file__).parents[4] / "lab" / "Dockerfile").read_text(encoding="utf-8")
    assert f'\nLABEL {TRACKS_ACTIVITY_LABEL}="yes"\n' in dockerfile
