"""idpyoidc as a relying party: it writes the requests, and refuses every answer that is not as the specs say."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import requests
from cryptojwt import KeyJar
from cryptojwt.jws.utils import left_hash
from idpyoidc import verified_claim_name
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.oauth2.stand_alone_client import backchannel_logout
from idpyoidc.client.rp_handler import RPHandler
from idpyoidc.message import Message
from idpyoidc.message.oauth2 import is_error_message
from idpyoidc.message.oidc import AccessTokenResponse, OpenIDSchema

from tests.conformance.world import AFTER_LOGOUT, CALLBACK, CLIENT_SECRETS, RELYING_PARTY, SCOPES, Landing, Person

PKCE = {
    "pkce": {
        "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
        "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
    }
}
END_SESSION = {"end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"}}
PROVES_ITSELF = ("access_token", "refresh_access_token")


@dataclass(frozen=True)
class SignedIn:
    """A whole sign-in, every message of it verified."""

    state: str
    code: str
    access_token: str
    id_token: Message
    raw_id_token: str
    userinfo: Message


class RelyingParty:
    """One registered client, from discovery to logout."""

    def __init__(
        self,
        issuer: str,
        certificate: Path,
        client_id: str = "basic",
        *,
        method: str = "client_secret_basic",
        pkce: bool = False,
        response_mode: str = "query",
    ) -> None:
        self.issuer, self.client_id, self.secret = issuer, client_id, CLIENT_SECRETS[client_id]
        self.response_mode = response_mode
        self._usual = {"scope": ["openid"]} | ({} if response_mode == "query" else {"response_mode": response_mode})
        self.verify = str(certificate / "server.crt")
        configuration = {
            "issuer": issuer,
            "client_type": "oidc",
            "client_id": client_id,
            "client_secret": self.secret,
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [AFTER_LOGOUT],
            "response_types": ["code"],
            "response_modes": [response_mode],
            "scope": ["openid"],
            "scopes_supported": list(SCOPES),
            "token_endpoint_auth_method": method,
            "token_endpoint_auth_methods_supported": [method],
            "id_token_signed_response_alg": "RS256",
            "allow": {},
            **({"add_ons": deepcopy(PKCE)} if pkce else {}),
        }
        self._handler = RPHandler(
            base_url=RELYING_PARTY,
            client_configs={issuer: configuration},
            services=_services(method),
            keyjar=KeyJar(),
            httpc_params={"verify": self.verify, "timeout": 15},
        )
        self.client = self._handler.client_setup(issuer)

    @property
    def metadata(self) -> Message:
        """What discovery brought, verified by ProviderConfigurationResponse."""
        found: Message = self.client.get_context().provider_info
        return found

    def asks(self, **request: Any) -> str:
        """The address of an authorization request."""
        address: str = self.client.init_authorization(req_args={**self._usual, **request})
        return address

    def reads(self, landing: Landing) -> Message:
        """The answer that came with the browser: state and issuer have to be those of a request of ours."""
        assert landing.url.split("?")[0] == CALLBACK, f"{landing.url} {landing.status}: {landing.text}"
        assert landing.was_posted == (self.response_mode == "form_post")
        message: Message = self.client.finalize_auth(dict(landing.parameters))
        return message

    def refused(self, landing: Landing) -> str:
        """The error code that the browser brought."""
        message = self.reads(landing)
        assert is_error_message(message), message
        return str(message["error"])

    def finishes(self, landing: Landing) -> SignedIn:
        """Code for tokens, ID token verified, userinfo asked, its `sub` compared."""
        message = self.reads(landing)
        assert not is_error_message(message), message
        state = message["state"]
        tokens = self.client.get_access_and_id_token(message, state=state)
        userinfo = self.client.get_user_info(state, access_token=tokens["access_token"])
        assert userinfo["sub"] == tokens["id_token"]["sub"]
        # idpyoidc looks at it only when the token came through the browser.
        assert tokens["id_token"]["at_hash"] == left_hash(tokens["access_token"], "HS256")
        raw = self.client.get_context().cstate.get_claim(state, claim="id_token")
        return SignedIn(state, message["code"], tokens["access_token"], tokens["id_token"], raw, userinfo)

    def sign_in(self, person: Person, **request: Any) -> SignedIn:
        return self.finishes(person.get(self.asks(**request)))

    def refresh(self, signed_in: SignedIn) -> Message:
        """Fresh tokens, the new ID token compared with the old one."""
        answer: Message = self.client.refresh_access_token(signed_in.state)
        return answer

    def asks_to_sign_out(self, signed_in: SignedIn) -> str:
        """The address of a logout request: hint, return address and state."""
        address: str = self.client.logout(signed_in.state)["url"]
        return address

    def hears_of_logout(self, form: str) -> str:
        """Verify the logout token in the body of a back-channel request; the state of the sign-in that it ends."""
        state: str = backchannel_logout(self.client, request=form)
        return state

    def redeem(self, code: str, **changes: str) -> requests.Response:
        """The token request by hand, for what no proper client would send."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changes}
        credentials = (quote_plus(self.client_id), quote_plus(self.secret))
        endpoint = self.metadata["token_endpoint"]
        return requests.post(endpoint, data=form, auth=credentials, verify=self.verify, timeout=15)

    def verified(self, answer: requests.Response) -> Message:
        """The ID token of a token response that was asked for by hand."""
        assert answer.status_code == 200, answer.text
        message = AccessTokenResponse(**answer.json())
        keyjar = self.client.get_attribute("keyjar")
        assert message.verify(keyjar=keyjar, iss=self.issuer, client_id=self.client_id, sigalg="RS256")
        found: Message = message[verified_claim_name("id_token")]
        return found

    def asks_userinfo(self, method: str = "GET", *, token: str, in_body: bool = False) -> requests.Response:
        """Userinfo by hand."""
        body, header = ({"access_token": token}, {}) if in_body else ({}, {"Authorization": f"Bearer {token}"})
        endpoint = self.metadata["userinfo_endpoint"]
        return requests.request(method, endpoint, data=body, headers=header, verify=self.verify, timeout=15)

    def claims(self, answer: requests.Response) -> Message:
        """What userinfo says, verified."""
        assert answer.status_code == 200, answer.text
        message = OpenIDSchema(**answer.json())
        assert message.verify()
        return message


def _services(method: str) -> dict[str, Any]:
    """The requests that it can write, two of them with the client's secret."""
    services = deepcopy(DEFAULT_OIDC_SERVICES | END_SESSION)
    for name in PROVES_ITSELF:
        services[name]["kwargs"] = {"client_authn_methods": [method]}
    return services
