"""XML parsing for responses: UTF-8 only, no DOCTYPE."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder  # builds only; defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from bridge.errors import UpstreamMalformed

_LOOKS_LIKE_HTML = re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)


def looks_like_html(text: bytes) -> bool:
    """Return whether this is a web page, such as the error page of a proxy."""
    return _LOOKS_LIKE_HTML.match(text) is not None


def parse_xml(text: bytes) -> Element:
    """Parse a document that is known to be UTF-8; reject any DOCTYPE before its entities are read."""
    # Comments and processing instructions stay in the tree: removing them would join the text around them.
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser: Any = XMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declared_encoding
    try:
        parser.feed(text)
        root: Element = parser.close()
    except DefusedXmlException:
        raise UpstreamMalformed(detail="the XML of CAS has a DOCTYPE") from None
    except ParseError as error:
        raise UpstreamMalformed(detail=f"the XML of CAS is not well-formed: {error}") from None
    return root


def text_of(element: Element) -> str | None:
    """Return the text of an element without children, or None."""
    return None if len(element) else (element.text or "").strip()


def local_name(element: Element) -> str:
    """Return the name without its namespace, or an empty string for comments and processing instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _check_declared_encoding(version: str, encoding: str | None, standalone: int) -> None:
    del version, standalone
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise UpstreamMalformed(detail=f"the XML of CAS declares {encoding[:40]}; only UTF-8 is supported")
