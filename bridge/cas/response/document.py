"""XML as an answer may be: UTF-8, no DOCTYPE, and comments kept to be seen."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder  # builds only; defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from bridge.errors import UpstreamMalformed

_LOOKS_LIKE_HTML = re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)


def looks_like_html(text: bytes) -> bool:
    """Whether this is a page: a wrong address, or a proxy's own error."""
    return _LOOKS_LIKE_HTML.match(text) is not None


def read_xml(text: bytes) -> Element:
    """The root of a document whose bytes are known to be UTF-8.

    :raises UpstreamMalformed: also for any DOCTYPE, before an entity of it is read
    """
    # Comments and processing instructions are kept to be seen: dropping them would join the text around them.
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser: Any = XMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declared_encoding
    try:
        parser.feed(text)
        root: Element = parser.close()
    except DefusedXmlException:
        raise UpstreamMalformed(detail="CAS answered XML with a DOCTYPE, which is never accepted") from None
    except ParseError as error:
        raise UpstreamMalformed(detail=f"CAS answered broken XML: {error}") from None
    return root


def text_of(element: Element) -> str | None:
    """The text of an element that holds nothing else, or None."""
    return None if len(element) else (element.text or "").strip()


def local_name(element: Element) -> str:
    """The name without its namespace; empty for comments and processing instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _check_declared_encoding(version: str, encoding: str | None, standalone: int) -> None:
    del version, standalone
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise UpstreamMalformed(detail=f"CAS answered XML in {encoding[:40]}; only UTF-8 is read")
