"""Generator of the table of CAS servers in docs/cas.md (`make pages`): properties that tests/upstream asserts."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.cas.apereo_cas import ApereoCas
from tests.support.cas.django_cas import DjangoCas, MamaCas
from tests.support.cas.jasig_cas import JasigCas
from tests.support.cas.lemonldap_cas import LemonldapCas
from tests.support.cas.real_cas import RealCas

PAGE = Path(__file__).parents[1] / "cas.md"
SERVERS: tuple[type[RealCas], ...] = (ApereoCas, JasigCas, LemonldapCas, DjangoCas, MamaCas)
HEAD = """\
| server | version | protocols | attributes by | JSON | time of authentication | single logout | it names |
|---|---|---|---|---|---|---|---|"""
_TABLE = re.compile(r"^\| server \| version \|.*?\n(?=\n)", re.DOTALL | re.MULTILINE)


def page() -> str:
    """Return the page with the current table."""
    table = "\n".join([HEAD, *map(_line, SERVERS), ""])
    return _TABLE.sub(lambda _: table, PAGE.read_text(encoding="utf-8"))


def _line(server: type[RealCas]) -> str:
    attributes = [name for name in server.protocols if name in server.attribute_protocols]
    cells = (
        server.kind,
        server.version,
        ", ".join(sorted(server.protocols, reverse=True)),
        ", ".join(sorted(attributes, reverse=True)),
        "yes" if server.speaks_json else "no",
        "yes" if server.reports_auth_time else "no",
        ", ".join(channel.removeprefix("at the ") for channel in server.logout_channels),
        "every ticket of the CAS session" if server.names_every_ticket else "the newest tickets",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
