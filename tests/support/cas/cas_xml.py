"""Validation responses in XML: valid, recorded and malicious ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

NAMESPACE = "http://www.yale.edu/tp/cas"


def success(inside: str = "<cas:user>alice</cas:user>") -> bytes:
    """Return a success around any XML."""
    return response(f"<cas:authenticationSuccess>{inside}</cas:authenticationSuccess>")


def response(inside: str) -> bytes:
    """Return a serviceResponse around any XML."""
    return f'<cas:serviceResponse xmlns:cas="{NAMESPACE}">{inside}</cas:serviceResponse>'.encode()


def failure(code: str, text: str = "no reason given") -> bytes:
    """Return a failure."""
    return response(f'<cas:authenticationFailure code="{escape(code)}">{escape(text)}</cas:authenticationFailure>')


def signed_in(user: str, attributes: Mapping[str, Sequence[str]]) -> bytes:
    """Return a CAS 3.0 success with one element per value."""
    values = "".join(
        f"\n      <cas:{name}>{escape(value)}</cas:{name}>" for name, several in attributes.items() for value in several
    )
    return success(
        f"\n    <cas:user>{escape(user)}</cas:user>\n    <cas:attributes>{values}\n    </cas:attributes>\n  "
    )


APEREO = b"""<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>
    <cas:authenticationSuccess>
        <cas:user>alice</cas:user>
        <cas:attributes>
            <cas:credentialType>UsernamePasswordCredential</cas:credentialType>
            <cas:isFromNewLogin>true</cas:isFromNewLogin>
            <cas:authenticationDate>2026-11-23T08:04:50.123456789Z[UTC]</cas:authenticationDate>
            <cas:longTermAuthenticationRequestTokenUsed>false</cas:longTermAuthenticationRequestTokenUsed>
            <cas:mail>alice@example.org</cas:mail>
            <cas:memberOf>cn=math,ou=groups</cas:memberOf>
            <cas:memberOf>cn=jupyter-admins,ou=groups</cas:memberOf>
            <cas:_75726e3a6f69643a302e392e323334323a746573743a6d61696c>alice@oid.example.org</cas:_75726e3a6f69643a302e392e323334323a746573743a6d61696c>
        </cas:attributes>
    </cas:authenticationSuccess>
</cas:serviceResponse>
"""

# Recorded from django-cas-server 3.1.0, which sends every value in two styles.
DJANGO_CAS_SERVER = """<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
  <cas:authenticationSuccess>
    <cas:user>alice</cas:user>
    <cas:attributes>
      <cas:authenticationDate>2026-11-23T08:04:50+00:00</cas:authenticationDate>
      <cas:longTermAuthenticationRequestTokenUsed>false</cas:longTermAuthenticationRequestTokenUsed>
      <cas:isFromNewLogin>true</cas:isFromNewLogin>
      <cas:mail>alice@example.org</cas:mail>
      <cas:displayName>Alice Müller &lt;staff&gt; &amp; co</cas:displayName>
      <cas:memberOf>cn=math,ou=groups</cas:memberOf>
      <cas:memberOf>cn=jupyter-admins,ou=groups</cas:memberOf>
      <cas:emptyAttr></cas:emptyAttr>
    </cas:attributes>
    <cas:attribute name="authenticationDate" value="2026-11-23T08:04:50+00:00"/>
    <cas:attribute name="longTermAuthenticationRequestTokenUsed" value="false"/>
    <cas:attribute name="isFromNewLogin" value="true"/>
    <cas:attribute name="mail" value="alice@example.org"/>
    <cas:attribute name="displayName" value="Alice Müller &lt;staff&gt; &amp; co"/>
    <cas:attribute name="memberOf" value="cn=math,ou=groups"/>
    <cas:attribute name="memberOf" value="cn=jupyter-admins,ou=groups"/>
    <cas:attribute name="emptyAttr" value=""/>
  </cas:authenticationSuccess>
</cas:serviceResponse>
""".encode()

# As Keycloak's CAS plug-in writes it (26.5.6 and 26.6.2), always with status 400.
KEYCLOAK_FAILURE = f"""<cas:serviceResponse xmlns:cas="{NAMESPACE}">
    <cas:authenticationFailure code="INVALID_TICKET">Code not valid</cas:authenticationFailure>
</cas:serviceResponse>""".encode()
KEYCLOAK_UNKNOWN_FORM = KEYCLOAK_FAILURE.replace(b"INVALID_TICKET", b"INVALID_TICKET_SPEC").replace(
    b"Code not valid", b"Invalid format of the code"
)
KEYCLOAK_FAILURE_JSON = b"""{
  "serviceResponse" : {
    "authenticationFailure" : {
      "code" : "INVALID_TICKET",
      "description" : "Code not valid"
    }
  }
}"""

# LemonLDAP::NG does not escape values. Here an attacker chose the display name.
LEMONLDAP_INJECTION = success(
    "<cas:user>mallory</cas:user><cas:attributes><cas:cn>x</cas:cn></cas:attributes>"
    "<cas:user>admin</cas:user><cas:attributes><cas:cn>y</cas:cn></cas:attributes>"
)

# The same attributes in all styles of servers: mail once, memberOf twice.
STYLES: Mapping[str, bytes] = {
    "jasig": success(
        "<cas:user>alice</cas:user><cas:attributes><cas:mail>a@x.org</cas:mail>"
        "<cas:memberOf>staff</cas:memberOf><cas:memberOf>admins</cas:memberOf></cas:attributes>"
    ),
    "jasig-long": success(
        "<cas:user>alice</cas:user><cas:attributes>"
        "<cas:attribute><cas:name>mail</cas:name><cas:value>a@x.org</cas:value></cas:attribute>"
        "<cas:attribute><cas:name>memberOf</cas:name><cas:value>staff</cas:value></cas:attribute>"
        "<cas:attribute><cas:name>memberOf</cas:name><cas:value>admins</cas:value></cas:attribute>"
        "</cas:attributes>"
    ),
    "rubycas": success(
        "<cas:user>alice</cas:user><cas:attraStyle>RubyCAS</cas:attraStyle><cas:mail>a@x.org</cas:mail>"
        "<cas:memberOf>staff</cas:memberOf><cas:memberOf>admins</cas:memberOf>"
        "<cas:proxyGrantingTicket>PGTIOU-1</cas:proxyGrantingTicket>"
    ),
    "rubycas-without-namespace": success(
        "<cas:user>alice</cas:user><mail>a@x.org</mail><memberOf>staff</memberOf><memberOf>admins</memberOf>"
    ),
    "name-value": success(
        '<cas:user>alice</cas:user><cas:attribute name="mail" value="a@x.org"/>'
        '<cas:attribute name="memberOf" value="staff"/><cas:attribute name="memberOf" value="admins"/>'
    ),
    "name-value-wrapped": success(
        '<cas:user>alice</cas:user><cas:attributes><cas:attribute name="mail" value="a@x.org"/>'
        '<cas:attribute name="memberOf" value="staff"/><cas:attribute name="memberOf" value="admins"/>'
        "</cas:attributes>"
    ),
    "jasig-and-name-value": success(
        "<cas:user>alice</cas:user><cas:attributes><cas:mail>a@x.org</cas:mail>"
        "<cas:memberOf>staff</cas:memberOf><cas:memberOf>admins</cas:memberOf></cas:attributes>"
        '<cas:attribute name="mail" value="a@x.org"/><cas:attribute name="memberOf" value="staff"/>'
        '<cas:attribute name="memberOf" value="admins"/>'
    ),
    "noreduperson": success(
        "<cas:user>alice</cas:user><cas:norEduPerson><cas:mail>a@x.org</cas:mail>"
        "<cas:memberOf>staff</cas:memberOf><cas:memberOf>admins</cas:memberOf></cas:norEduPerson>"
    ),
}

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DOCTYPES: Mapping[str, bytes] = {
    "bare": b"<!DOCTYPE x>" + success(),
    "internal-entity": b'<!DOCTYPE x [<!ENTITY u "admin">]>' + success("<cas:user>&u;</cas:user>"),
    "billion-laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{_LAUGHS}]>'.encode() + success("<cas:user>&l9;</cas:user>"),
    "external-file": b'<!DOCTYPE x [<!ENTITY u SYSTEM "file:///etc/hostname">]>' + success("<cas:user>&u;</cas:user>"),
    "external-subset": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/evil.dtd">' + success(),
    "parameter-entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>' + success(),
}
