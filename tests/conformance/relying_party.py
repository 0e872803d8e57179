"""idpyoidc as a relying party: it writes the requests, and refuses every answer that is not as the specs say."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import requests
from cryptojwt import KeyJar
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.rp_handler import RPHandler
from idpyoidc.message import Message
from idpyoidc.message.oauth2 import is_error_message
from idpyoidc.message.oidc import AccessTokenResponse

from tests.conformance.world import AFTER_LOGOUT, CALLBACK, CLIENT_SECRETS, RELYING_PARTY, SCOPES, Landing, Person

PKCE = {
    "pkce": {
        "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
        "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
    }
}
SERVICES = DEFAULT_OIDC_SERVICES | {"end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"}}


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
            services=deepcopy(SERVICES),
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
        address: str = self.client.init_authorization(req_args={"scope": ["openid"], **request})
        return address

    def reads(self, landing: Landing) -> Message:
        """The answer that came with the browser: state and issuer have to be those of a request of ours."""
        assert landing.url.split("?")[0] == CALLBACK, f"{landing.url} {landing.status}: {landing.text}"
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
        raw = self.client.get_context().cstate.get_claim(state, claim="id_token")
        return SignedIn(state, message["code"], tokens["access_token"], tokens["id_token"], raw, userinfo)

    def signs_in(self, person: Person, **request: Any) -> SignedIn:
        return self.finishes(person.opens(self.asks(**request)))

    def refreshes(self, signed_in: SignedIn) -> Message:
        """Fresh tokens, the new ID token compared with the old one."""
        answer: Message = self.client.refresh_access_token(signed_in.state)
        return answer

    def redeems(self, code: str, *, method: str = "basic", **changes: str) -> requests.Response:
        """The token request by hand, for what no proper client would send."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changes}
        if method == "basic":
            return self._posts("token_endpoint", form)
        return self._posts("token_endpoint", form | {"client_id": self.client_id, "client_secret": self.secret}, False)

    def verified(self, answer: requests.Response, *, nonce: str | None = None) -> Message:
        """The ID token of a token response that was asked for by hand."""
        assert answer.status_code == 200, answer.text
        message = AccessTokenResponse(**answer.json())
        check = {"nonce": nonce} if nonce else {}
        keyjar = self.client.get_attribute("keyjar")
        assert message.verify(keyjar=keyjar, iss=self.issuer, client_id=self.client_id, sigalg="RS256", **check)
        found: Message = message["__verified_id_token"]
        return found

    def userinfo(self, token: str) -> requests.Response:
        header = {"Authorization": f"Bearer {token}"}
        return requests.get(self.metadata["userinfo_endpoint"], headers=header, verify=self.verify, timeout=15)

    def _posts(self, endpoint: str, form: dict[str, str], basic: bool = True) -> requests.Response:
        credentials = (quote_plus(self.client_id), quote_plus(self.secret)) if basic else None
        return requests.post(self.metadata[endpoint], data=form, auth=credentials, verify=self.verify, timeout=15)
