"""idpyoidc as a relying party: it builds the requests and rejects responses that violate the specifications."""

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
AUTHENTICATED_SERVICES = ("access_token", "refresh_access_token")


@dataclass(frozen=True)
class SignedIn:
    """A complete sign-in; every message is verified."""

    state: str
    code: str
    access_token: str
    id_token: Message
    raw_id_token: str
    userinfo: Message


class RelyingParty:
    """A registered client, from discovery to logout."""

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
        """The discovery document, verified by ProviderConfigurationResponse."""
        found: Message = self.client.get_context().provider_info
        return found

    def authorization_url(self, **request: Any) -> str:
        """Return the URL of an authorization request."""
        address: str = self.client.init_authorization(req_args={**self._usual, **request})
        return address

    def parse_response(self, landing: Landing) -> Message:
        """Parse an authorization response; its state and issuer must match a request of this client."""
        assert landing.url.split("?")[0] == CALLBACK, f"{landing.url} {landing.status}: {landing.text}"
        assert landing.was_posted == (self.response_mode == "form_post")
        message: Message = self.client.finalize_auth(dict(landing.parameters))
        return message

    def parse_error(self, landing: Landing) -> str:
        """Return the error code of an authorization response."""
        message = self.parse_response(landing)
        assert is_error_message(message), message
        return str(message["error"])

    def complete_sign_in(self, landing: Landing) -> SignedIn:
        """Redeem the code, verify the ID token, fetch userinfo and compare its `sub`."""
        message = self.parse_response(landing)
        assert not is_error_message(message), message
        state = message["state"]
        tokens = self.client.get_access_and_id_token(message, state=state)
        userinfo = self.client.get_user_info(state, access_token=tokens["access_token"])
        assert userinfo["sub"] == tokens["id_token"]["sub"]
        # idpyoidc checks it only for tokens from the authorization endpoint.
        assert tokens["id_token"]["at_hash"] == left_hash(tokens["access_token"], "HS256")
        raw = self.client.get_context().cstate.get_claim(state, claim="id_token")
        return SignedIn(state, message["code"], tokens["access_token"], tokens["id_token"], raw, userinfo)

    def sign_in(self, person: Person, **request: Any) -> SignedIn:
        return self.complete_sign_in(person.get(self.authorization_url(**request)))

    def refresh(self, signed_in: SignedIn) -> Message:
        """Refresh the tokens and compare the new ID token with the old one."""
        answer: Message = self.client.refresh_access_token(signed_in.state)
        return answer

    def logout_url(self, signed_in: SignedIn) -> str:
        """Return the URL of a logout request with hint, return URI and state."""
        address: str = self.client.logout(signed_in.state)["url"]
        return address

    def verify_logout_token(self, form: str) -> str:
        """Verify the logout token of a back-channel request; return the state of the sign-in that it ends."""
        state: str = backchannel_logout(self.client, request=form)
        return state

    def redeem(self, code: str, **changes: str) -> requests.Response:
        """Send a token request without idpyoidc, for requests that it would not build."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changes}
        credentials = (quote_plus(self.client_id), quote_plus(self.secret))
        endpoint = self.metadata["token_endpoint"]
        return requests.post(endpoint, data=form, auth=credentials, verify=self.verify, timeout=15)

    def verify_id_token(self, answer: requests.Response) -> Message:
        """Verify the ID token of a token response that was requested without idpyoidc."""
        assert answer.status_code == 200, answer.text
        message = AccessTokenResponse(**answer.json())
        keyjar = self.client.get_attribute("keyjar")
        assert message.verify(keyjar=keyjar, iss=self.issuer, client_id=self.client_id, sigalg="RS256")
        found: Message = message[verified_claim_name("id_token")]
        return found

    def request_userinfo(self, method: str = "GET", *, token: str, in_body: bool = False) -> requests.Response:
        """Call userinfo without idpyoidc."""
        body, header = ({"access_token": token}, {}) if in_body else ({}, {"Authorization": f"Bearer {token}"})
        endpoint = self.metadata["userinfo_endpoint"]
        return requests.request(method, endpoint, data=body, headers=header, verify=self.verify, timeout=15)

    def claims(self, answer: requests.Response) -> Message:
        """Return the verified claims of userinfo."""
        assert answer.status_code == 200, answer.text
        message = OpenIDSchema(**answer.json())
        assert message.verify()
        return message


def _services(method: str) -> dict[str, Any]:
    """Return the idpyoidc services; two of them authenticate the client."""
    services = deepcopy(DEFAULT_OIDC_SERVICES | END_SESSION)
    for name in AUTHENTICATED_SERVICES:
        services[name]["kwargs"] = {"client_authn_methods": [method]}
    return services
