"""Attribute notations of CAS servers (cas.md cases 12 and 14)."""

import pytest

from bridge.cas.response.limits import ATTRIBUTE_NAMES_MAX
from bridge.errors import UpstreamMalformed
from tests.support.cas import cas_xml
from tests.support.cas.cas_responses import parse_response

USER = "<cas:user>alice</cas:user>"


def in_attributes(inside: str) -> bytes:
    return cas_xml.success(f"{USER}<cas:attributes>{inside}</cas:attributes>")


@pytest.mark.parametrize("style", cas_xml.STYLES)
def test_attribute_styles_give_equal_lists_cas12(style: str) -> None:
    found = parse_response(cas_xml.STYLES[style])
    assert found.user == "alice"
    assert found.attributes == {"mail": ("a@x.org",), "memberOf": ("staff", "admins")}


def test_duplicate_styles_are_read_once_cas12() -> None:
    found = parse_response(cas_xml.DJANGO_CAS_SERVER).attributes
    assert found["displayName"] == ("Alice Müller <staff> & co",)
    assert found["memberOf"] == ("cn=math,ou=groups", "cn=jupyter-admins,ou=groups")
    assert found["emptyAttr"] == ("",)


def test_hexadecimal_attribute_names_are_decoded_cas14() -> None:
    found = parse_response(cas_xml.APEREO).attributes
    assert found["urn:oid:0.9.2342:test:mail"] == ("alice@oid.example.org",)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        pytest.param("<cas:a.b>x</cas:a.b>", {"a.b": ("x",)}, id="cas14-dot"),
        pytest.param("<cas:Ünï>x</cas:Ünï>", {"Ünï": ("x",)}, id="cas14-non-ascii-name"),
        pytest.param("<cas:__proto__>x</cas:__proto__>", {"__proto__": ("x",)}, id="cas14-proto"),
        pytest.param("<cas:_cafe12>x</cas:_cafe12>", {"_cafe12": ("x",)}, id="cas14-hex-by-chance"),
        pytest.param("<cas:_616263>x</cas:_616263>", {"_616263": ("x",)}, id="cas14-hex-of-a-legal-name"),
        pytest.param("<cas:a/>", {"a": ("",)}, id="cas14-empty-value"),
        pytest.param("<cas:a>&lt;&amp;>\"'</cas:a>", {"a": ("<&>\"'",)}, id="cas14-special-characters"),
        pytest.param("<cas:a> x </cas:a>", {"a": ("x",)}, id="cas14-trimmed"),
        pytest.param("<cas:a>[x, y]</cas:a>", {"a": ("[x, y]",)}, id="cas12-printed-list-is-not-guessed"),
        pytest.param("<cas:a>x<b>y</b></cas:a><cas:c>z</cas:c>", {"c": ("z",)}, id="cas14-markup-left-out"),
        pytest.param("<cas:a>admin<!-- -->s</cas:a>", {}, id="cas14-comment-left-out"),
        pytest.param("<cas:attribute>x</cas:attribute>", {"attribute": ("x",)}, id="cas12-called-attribute"),
        pytest.param('<cas:attribute name="">x</cas:attribute>', {}, id="cas12-without-a-name"),
        pytest.param(
            '<cas:attribute name="a"><cas:value>x</cas:value></cas:attribute>', {"a": ("",)}, id="cas12-mixed"
        ),
        pytest.param(
            "<cas:attribute><cas:name>a</cas:name><cas:name>b</cas:name><cas:value>x</cas:value></cas:attribute>",
            {},
            id="cas12-two-names",
        ),
    ],
)
def test_unusual_attributes_are_handled(inside: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert parse_response(in_attributes(inside)).attributes == expected


def test_value_of_50_kib_is_kept_cas14() -> None:
    value = "x" * 50 * 1024
    assert parse_response(in_attributes(f"<cas:a>{value}</cas:a>")).attributes == {"a": (value,)}


def test_attribute_names_are_limited_cas14() -> None:
    names = "".join(f"<cas:a{n}/>" for n in range(ATTRIBUTE_NAMES_MAX + 1))
    with pytest.raises(UpstreamMalformed) as caught:
        parse_response(in_attributes(names))
    assert "2000 attributes" in caught.value.detail


def test_long_attribute_name_is_dropped() -> None:
    assert parse_response(in_attributes(f"<cas:{'n' * 300}>x</cas:{'n' * 300}>")).attributes == {}
