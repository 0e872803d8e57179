"""The lifecycle of labs on a running deployment: terms, announcement, progress, limits by group, culling.

The tests share one deployment, because its start is slow, and depend on each other in this order.
"""

# ruff: noqa: RUF001  # French has apostrophes of its own

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.bridge.journey import Journey
from tests.support.docker.deployment import Deployment, clean_clone, free_port
from tests.support.hub.counting_cell import count_during

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "browser")]

HUB = "jupyter.localhost"
IDLE, AGE, WARNING = 30, 70, 20  # seconds
HUB_WAIT = 180
KEPT = "kept.txt"
PHONE = {"viewport": {"width": 320, "height": 640}, "locale": "fr-FR", "is_mobile": True, "has_touch": True}
# Pages of the hub and their headings, for a signed-in user whose lab cannot start.
PAGES = {
    "/hub/spawn": ("Your lab did not start", "Votre laboratoire n’a pas démarré"),
    "/hub/terms": ("Terms of use", "Conditions d’utilisation"),
    "/user/bob/lab": ("Your lab did not start", "Votre laboratoire n’a pas démarré"),
    "/hub/nowhere": ("Not Found", "Page introuvable"),
    "/hub/oauth_callback?code=x&state=y": ("This sign-in has expired", "Cette connexion a expiré"),
}
# Writes the progress messages to the console, because the final page has another origin.
RECORD = """
const record = () => new MutationObserver(() => console.info("progress",
    JSON.stringify([...document.querySelectorAll("#progress-log li")].map(line => line.textContent))
)).observe(document.getElementById("progress-log"), {childList: true});
addEventListener("DOMContentLoaded", () => { if (document.getElementById("progress-log")) record(); });
"""


def change(file: Path, **settings: str) -> None:
    """Set variables in .env."""
    text = file.read_text()
    for name, value in settings.items():
        text, found = re.subn(rf"(?m)^#?{name}=.*$", f"{name}={value}", text)
        assert found == 1, name
    file.write_text(text)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    change(
        folder / ".env",
        CULL_WARNING_SECONDS=str(WARNING),
        HUB_TERMS_FILE="terms.md",
        HUB_ANNOUNCEMENT="Down on <b>Friday</b>",
    )
    change(folder / ".env", HUB_SUPPORT_CONTACT="help@example.org")
    (folder / "deployment/notices/terms.md").write_text(
        "# Rules\n\nBe *kind*. <script>document.title = 'ran'</script>\n"
    )
    (folder / "deployment/notices/terms.fr.md").write_text("# Règles\n\nSoyez *aimables*.\n")
    project = f"passerelle-life-{os.getpid()}"
    ours = Deployment(folder, project, http_port=free_port(0), https_port=free_port(0))
    try:
        ours.compose("--profile", "*", "build")
        ours.compose("up", "--detach", "--wait")
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="module")
def bob(deployment: Deployment) -> Iterator[Journey]:
    with Journey(deployment.url(HUB), name="lifecycle-bob") as journey:
        journey.user = "bob"
        journey.page.add_init_script(RECORD)
        yield journey


def wait_for_hub(deployment: Deployment) -> None:
    """Wait until the hub is healthy; a busy machine may take long."""
    deployment.wait(lambda: deployment.state("hub") == "running healthy", "healthy hub", HUB_WAIT)


def wait_for_log(deployment: Deployment, said: str) -> None:
    """Wait for a log line of the hub, which follows the end of the container by seconds."""
    deployment.wait(lambda: said in deployment.compose("logs", "hub").stdout, f"{said!r} in the log")


def start_by_api(person: Journey, server: str) -> int:
    """Start a server through the hub's API in the browser's session; return the status."""
    person.page.locator("[name=_xsrf]").wait_for(state="attached")
    return int(
        person.page.evaluate(
            """async path => {
                const headers = {"X-XSRFToken": document.querySelector("[name=_xsrf]").value};
                return (await fetch(path, {method: "POST", headers})).status;
            }""",
            f"/hub/api/users/{person.user}/{server}",
        )
    )


def test_announcement_is_shown_as_text(deployment: Deployment, bob: Journey) -> None:
    bob.open_hub()
    assert "Down on <b>Friday</b>" in bob.page.inner_text("body")
    (deployment.folder / "deployment/notices/announcement.txt").write_text("Back on <i>Monday</i>\n")
    bob.page.reload()
    assert "Back on <i>Monday</i>" in bob.page.inner_text("body")
    assert "Friday" not in bob.page.inner_text("body")


def test_labs_require_accepted_terms(deployment: Deployment, bob: Journey) -> None:
    bob.page.get_by_role("button", name="Sign in with CAS").click()
    bob.fill_cas_form("bob", "bob-demo")
    bob.page.get_by_role("heading", name="Rules").wait_for()
    assert bob.page.title() == "Terms of use"  # and no script in the terms ran
    bob.page.get_by_role("button", name="I do not accept").click()
    bob.page.get_by_text("You did not accept the terms, so you cannot start a lab.").wait_for()
    assert start_by_api(bob, "server") == 403
    for path in ("/hub/spawn", "/hub/spawn/bob", "/user-redirect/lab/tree/x", "/hub/home"):
        bob.goto(deployment.url(HUB, path))
        if path == "/hub/home":
            bob.page.locator("#start").click()
        bob.page.wait_for_url(re.compile("/hub/terms"))
    assert deployment.labs() == []


def test_progress_shows_engine_steps(deployment: Deployment, bob: Journey) -> None:
    bob.page.get_by_role("button", name="I accept").click()
    bob.page.get_by_role("heading", name="Your lab is starting").wait_for()
    bob.wait_for_lab()
    told = json.loads([line for line in bob.console if line.startswith("info: progress ")][-1].split(" ", 2)[2])
    steps = ["Start allowed", f"Image {deployment.project}-lab found", "new home", "Container created", "started"]
    assert [step for step in steps if any(step in line for line in told)] == steps, told
    bob.open_notebook()
    bob.write_home_file(KEPT, "kept")


def test_changed_settings_apply_to_next_lab(deployment: Deployment, bob: Journey) -> None:
    before = deployment.lab_id("bob")
    change(
        deployment.folder / ".env",
        LAB_MEM_LIMIT="1G",
        HUB_CONFIG_FILE="./hub.toml",
        CULL_IDLE_TIMEOUT_SECONDS=str(IDLE),
    )
    (deployment.folder / "hub.toml").write_text(
        f"[groups.students]\nidle_timeout = 0\n[groups.jupyter-admins]\nmax_age = {AGE}\nidle_timeout = {IDLE}\n"
    )
    count_during(deployment, bob, "up", "--detach", "hub")
    wait_for_hub(deployment)
    assert bob.run_cell("print(n > 0)") == "True"
    assert deployment.lab_id("bob") == before
    bob.stop_server()
    bob.restart_lab()
    limit = deployment.docker("inspect", "--format", "{{.HostConfig.Memory}}", f"{deployment.project}-lab-bob")
    assert limit == str(1024**3)


def test_new_terms_are_accepted_without_scripts(deployment: Deployment, bob: Journey) -> None:
    (deployment.folder / "deployment/notices/terms.fr.md").write_text("# Règles\n\nSoyez *patients*.\n")
    browser = bob.page.context.browser
    assert browser is not None
    state = bob.page.context.storage_state()
    context = browser.new_context(**PHONE, java_script_enabled=False, ignore_https_errors=True, storage_state=state)
    with context.new_page() as page:
        page.goto(deployment.url(HUB, "/hub/terms"))
        assert "Soyez patients" in page.inner_text("body")
        assert "Annonce" in (page.locator("section").first.get_attribute("aria-label") or "")
        page.get_by_role("button", name="J’accepte").click()
        page.wait_for_url(re.compile("/user/bob/"))
        page.goto(deployment.url(HUB, "/hub/terms"))
        assert "Vous avez accepté ces conditions" in page.inner_text("body")
    context.close()
    code = (
        "import json, sqlite3; d = sqlite3.connect('/data/terms.sqlite3');"
        "print(json.dumps(d.execute('SELECT user, version, accepted_at FROM acceptance').fetchall()))"
    )
    rows = json.loads(deployment.docker("exec", deployment.container("hub"), "python", "-c", code))
    assert [user for user, _, _ in rows] == ["bob", "bob"]
    assert len({version for _, version, _ in rows}) == 2
    assert all(re.fullmatch(r"[0-9a-f]{64}", version) for _, version, _ in rows)


def compute_until_culled(deployment: Deployment) -> None:
    """Run a silent cell as Alice until the warning and the end of her lab."""
    with Journey(deployment.url(HUB), name="lifecycle-alice") as alice:
        alice.user = "alice"
        alice.open_hub()
        alice.page.get_by_role("button", name="Sign in with CAS").click()
        alice.fill_cas_form("alice", "alice-demo")
        alice.page.get_by_role("button", name="I accept").click()
        alice.wait_for_lab()
        alice.open_notebook()
        alice.write_home_file(KEPT, "alice's")
        alice.page.keyboard.insert_text("import time; time.sleep(600)")
        alice.page.keyboard.press("Shift+Enter")
        alice.page.get_by_text("it reaches its maximum age").first.wait_for(timeout=AGE * 1000)
        alice.screenshot("warned-of-age")
        name = f"{deployment.project}-lab-alice"
        deployment.wait(lambda: name not in deployment.labs(), "alice's lab stopped by its age", AGE)


class TestCulling:
    """Alice's busy lab reaches its maximum age; Bob's lab is idle, and the setting of his group changes."""

    def test_maximum_age_is_announced_and_busy_lab_is_not_idle(self, deployment: Deployment, bob: Journey) -> None:
        with ThreadPoolExecutor(1) as executor:  # playwright runs once in each thread
            executor.submit(compute_until_culled, deployment).result()
        wait_for_log(deployment, "stopped lab alice/: maximum age")
        assert (
            "stopped lab bob" not in deployment.compose("logs", "hub").stdout
        )  # 0 means never, which is the higher of both limits
        home = f"{deployment.project}-home-alice:/h"
        kept = deployment.docker("run", "--rm", "-v", home, f"{deployment.project}-lab", "cat", f"/h/{KEPT}")
        assert kept.endswith("alice's")

    def test_idle_warning_is_shown_and_click_keeps_lab(self, deployment: Deployment, bob: Journey) -> None:
        toml = deployment.folder / "hub.toml"
        toml.write_text(f"[groups.students]\nidle_timeout = {IDLE}\n")
        deployment.compose("restart", "--no-deps", "hub")
        wait_for_hub(deployment)
        # Bob's lab was idle meanwhile, and the new limit applies immediately.
        deployment.wait(lambda: not deployment.labs(), "bob's lab stopped by the new setting", HUB_WAIT)
        bob.restart_lab()
        warning = bob.page.locator(".jp-toast-message", has_text="it is not in use").first
        warning.wait_for(timeout=(IDLE + 20) * 1000)
        bob.screenshot("warned-of-idleness")
        bob.page.locator(".jp-toast-button", has_text="Keep it running").first.dispatch_event("click")
        warning.wait_for(state="detached", timeout=15_000)
        kept = time.monotonic()
        deployment.wait(lambda: not deployment.labs(), "bob's lab stopped for idleness", IDLE * 3)
        assert time.monotonic() - kept > IDLE / 2
        wait_for_log(deployment, "stopped lab bob/: idle")


def check_page(page: Page) -> None:
    """Check that a page is accessible."""
    found = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} scrolls sideways"


def test_failed_start_page_is_translated_and_accessible(deployment: Deployment, bob: Journey) -> None:
    image = f"{deployment.project}-lab"
    deployment.docker("tag", image, f"{image}-kept")
    deployment.docker("rmi", image)
    browser = bob.page.context.browser
    assert browser is not None
    state = bob.page.context.storage_state()
    try:
        bob.goto(deployment.url(HUB, "/hub/spawn"))
        said = bob.page.inner_text("main")
        assert f"The image {image} of your lab is not on the server" in said
        assert "contact help@example.org and quote this reference: bob, 20" in " ".join(said.split())
        for scheme, device in (("light", {"locale": "en-GB"}), ("dark", PHONE)):
            context = browser.new_context(**device, color_scheme=scheme, ignore_https_errors=True, storage_state=state)
            with context.new_page() as page:
                for path, (english, french) in PAGES.items():
                    address = deployment.url(HUB, path)
                    Journey.retry_on_network_change(lambda page=page, address=address: page.goto(address))
                    assert page.locator("h1").first.inner_text() == (french if device is PHONE else english)
                    check_page(page)
            context.close()
    finally:
        deployment.docker("tag", f"{image}-kept", image)
        deployment.docker("rmi", f"{image}-kept")


def test_stopping_labs_is_limited_to_the_project(deployment: Deployment, bob: Journey) -> None:
    bob.goto(deployment.url(HUB, "/hub/spawn"))
    bob.wait_for_lab()
    labels = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]["Config"]["Labels"]
    theirs = f"{deployment.project}-b"
    marks = {name: text for name, text in labels.items() if name.startswith("com.docker.compose.")}
    marks["com.docker.compose.project"] = f"{theirs}-labs"
    options = [part for name, text in marks.items() for part in ("--label", f"{name}={text}")]
    deployment.docker("run", "-d", "--name", f"{theirs}-lab-bob", *options, f"{deployment.project}-lab", "sleep", "300")
    try:
        deployment.compose("-p", f"{deployment.project}-labs", "down")
        assert deployment.labs() == []
        assert deployment.docker("ps", "--quiet", "--filter", f"name={theirs}-lab-bob")
        deployment.compose("-p", f"{theirs}-labs", "down")
        assert not deployment.docker("ps", "--all", "--quiet", "--filter", f"name={theirs}-lab-bob")
    finally:
        deployment.docker("rm", "--force", f"{theirs}-lab-bob", check=False)
    assert deployment.state("hub") == "running healthy"
