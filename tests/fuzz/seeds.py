"""Seeds of the fuzzer: recorded and specified responses, and tokens of the formats."""

from __future__ import annotations

from tests.fuzz.targets import NOW, SERVICE
from tests.support.cas import cas_responses, cas_xml

_ATTRIBUTES = {"mail": ["a@x.org"], "memberOf": ["staff", "admins"]}
_LOGOUT = (
    b'<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
    b'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="LR-1" Version="2.0" IssueInstant="2026-09-21T14:13:20Z">'
    b"<saml:NameID>@NOT_USED@</saml:NameID><samlp:SessionIndex> ST-1-abc.d_e </samlp:SessionIndex>"
    b"</samlp:LogoutRequest>"
)
_LOGOUTS = [
    _LOGOUT,
    _LOGOUT.replace(b"samlp:", b"").replace(b"saml:", b""),
    b"logoutRequest=" + _LOGOUT.replace(b"<", b"%3C").replace(b">", b"%3E").replace(b" ", b"+"),
    b"<!DOCTYPE x [<!ENTITY u 'ST-1'>]>" + _LOGOUT.replace(b"ST-1", b"&u;"),
    b"eJyz8clPzi/LTEm1K0gsKkn1TC1Ws7MJTi0uzszP88xLSa2wCw7RNbTRR5W00UdTDwCrSRhZ",
]
SEEDS: dict[str, list[bytes]] = {
    "response": [
        cas_xml.APEREO,
        cas_xml.DJANGO_CAS_SERVER,
        cas_xml.LEMONLDAP_INJECTION,
        *cas_xml.STYLES.values(),
        *cas_xml.DOCTYPES.values(),
        cas_xml.failure("INVALID_TICKET", "Ticket 'ST-1' not recognized"),
        cas_responses.json_success(attributes={"mail": "a", "memberOf": ["x", 1, True, None]}, proxies=[]),
        cas_responses.json_response(authenticationFailure={"code": "INVALID_SERVICE", "description": "no"}),
        cas_responses.saml_signed_in("alice", _ATTRIBUTES, service=SERVICE, now=NOW),
        cas_responses.saml_failure("Ticket 'ST-1' not recognized"),
        b"yes\nalice\nmail=a\n",
        b"no\n\n",
    ],
    "logout": _LOGOUTS,
    "endpoint": _LOGOUTS,
}
_WORDS = r"""
<cas:user> </cas:user> <cas:attributes> </cas:attributes> <cas:proxies> </cas:proxies> <x> </x> <x/>
<cas:authenticationSuccess> </cas:authenticationSuccess> <cas:authenticationFailure </cas:authenticationFailure>
code="INVALID_TICKET" <!-- --> <?x?> <![CDATA[ ]]> <!DOCTYPE <!ENTITY &u; &#0; &amp; &#x110000; <cas:_75726e3a>
<attribute name= value= encoding="utf-16" xmlns:a="b" a:b "user": "proxies":[1] "attributes":{ "authenticationFailure":
\ud800 \u0000 [[[[ {{{{ NaN 1e999 - null true , : a=b <Assertion> </Assertion> <NameIdentifier> </NameIdentifier>
<Audience> </Audience> Value="Success" NotBefore="2026-09-21T14:13:20Z" NotOnOrAfter="9999-12-31T23:59:59Z"
logoutRequest= <SessionIndex> </SessionIndex> ST-1 %253C %3C %26
"""
WORDS: list[bytes] = [*_WORDS.encode().split(), *b"\xef\xbb\xbf|\xff\xfe|\0|yes\n|no\n|\r\n|a=b\n".split(b"|")]
