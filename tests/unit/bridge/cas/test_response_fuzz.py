"""Random input to the response parsers ends in a user or an error."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from bridge.cas.response import USER_MAX_CHARS
from bridge.errors import SignInDenied, TicketRejected, UpstreamError
from tests.support.cas import cas_xml
from tests.support.cas.cas_responses import parse_response
from tests.support.cas.cas_xml import response, success

USER = "<cas:user>alice</cas:user>"
SUCCESS = f"<cas:authenticationSuccess>{USER}</cas:authenticationSuccess>"
FAILURE = '<cas:authenticationFailure code="INVALID_TICKET">no</cas:authenticationFailure>'

MARKUP = st.sampled_from(
    [
        USER,
        SUCCESS,
        FAILURE,
        "<cas:attributes>",
        "</cas:attributes>",
        "<cas:attribute name='a' value='b'/>",
        "<cas:a>x</cas:a>",
        "<!-- c -->",
        "<?p i?>",
        "<![CDATA[",
        "]]>",
        "&amp;",
        "&#0;",
        "&u;",
        "<!DOCTYPE x>",
        "<cas:authenticationSuccess>",
        "</cas:authenticationSuccess>",
    ]
)


def parse_any(body: bytes) -> None:
    """Parse a body; expect a valid user or a bridge error."""
    with contextlib.suppress(UpstreamError, TicketRejected, SignInDenied):
        found = parse_response(body)
        assert found.user.isprintable()
        assert 0 < len(found.user) <= USER_MAX_CHARS


@given(st.binary(max_size=2_000))
def test_any_bytes_end_in_a_bridge_error(body: bytes) -> None:
    parse_any(body)
    parse_any(success(f"<cas:user>{body.decode('latin-1')}</cas:user>"))


@given(st.lists(st.one_of(MARKUP, st.text(max_size=8)), max_size=20))
def test_random_cas_markup_ends_in_user_or_error(pieces: list[str]) -> None:
    inside = "".join(pieces).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    parse_any(response(inside))
    parse_any(success(inside))


@given(st.integers(0, len(cas_xml.DJANGO_CAS_SERVER) - 1), st.binary(max_size=4), st.integers(0, 40))
def test_damaged_responses_never_crash(at: int, instead: bytes, lost: int) -> None:
    whole = cas_xml.DJANGO_CAS_SERVER
    parse_any(whole[:at] + instead + whole[at + lost :])
