"""What programs of a user's own do: requests to hub and lab with a token, by hand where a library would tidy them."""

import warnings

import requests

from tests.support.deployment import Deployment
from tests.support.journey import Journey


def own_token(person: Journey) -> str:
    """A token of the person's own for the hub's API, made as its page makes one."""
    with person.page.context.new_page() as page:
        page.goto(f"{person.hub_url}/hub/home")
        made = page.evaluate(
            """async (user) => {
                const headers = {"X-XSRFToken": window.jhdata.xsrf_token, "Content-Type": "application/json"};
                const asked = {method: "POST", headers, body: JSON.stringify({note: "a program of mine"})};
                const answer = await fetch(`/hub/api/users/${user}/tokens`, asked);
                return await answer.json();
            }""",
            person.user,
        )
    return str(made["token"])


def ask(
    deployment: Deployment, host: str, method: str, path: str, *, token: str = "", data: str | bytes | None = None
) -> requests.Response:
    """A request with the path as it is given: encoded slashes are often the point."""
    headers = {"Host": host} | ({"Authorization": f"token {token}"} if token else {})
    address = f"https://127.0.0.1:{deployment.https_port}"
    request = requests.Request(method, address, headers=headers, data=data).prepare()
    request.url = address + path
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the certificate is not looked at
        return session.send(request, verify=False, timeout=120)
