"""The spellings of attribute names in directories, CAS servers and SAML federations.

Sources: RFC 4519, RFC 2798 and RFC 4524 (inetOrgPerson), eduPerson 4.4.0, SCHAC 1.6, SUPANN 2009 and later.
"""

from collections.abc import Mapping
from functools import lru_cache

_EDUPERSON, _EDUMEMBER = "1.3.6.1.4.1.5923.1.1.1", "1.3.6.1.4.1.5923.1.5.1"
_SCHAC, _SUPANN = "1.3.6.1.4.1.25178.1.2", "1.3.6.1.4.1.7135.1.2.1"
_COSINE, _NETSCAPE = "0.9.2342.19200300.100.1", "2.16.840.1.113730.3.1"

_NAME_OF_OID: Mapping[str, str] = {
    "2.5.4.3": "cn",
    "2.5.4.4": "sn",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "2.5.4.42": "givenName",
    f"{_COSINE}.1": "uid",
    f"{_COSINE}.3": "mail",
    f"{_NETSCAPE}.3": "employeeNumber",
    f"{_NETSCAPE}.39": "preferredLanguage",
    f"{_NETSCAPE}.241": "displayName",
    "1.2.840.113556.1.2.102": "memberOf",
    f"{_EDUMEMBER}.1": "isMemberOf",
    f"{_EDUPERSON}.1": "eduPersonAffiliation",
    f"{_EDUPERSON}.2": "eduPersonNickname",
    f"{_EDUPERSON}.3": "eduPersonOrgDN",
    f"{_EDUPERSON}.4": "eduPersonOrgUnitDN",
    f"{_EDUPERSON}.5": "eduPersonPrimaryAffiliation",
    f"{_EDUPERSON}.6": "eduPersonPrincipalName",
    f"{_EDUPERSON}.7": "eduPersonEntitlement",
    f"{_EDUPERSON}.8": "eduPersonPrimaryOrgUnitDN",
    f"{_EDUPERSON}.9": "eduPersonScopedAffiliation",
    f"{_EDUPERSON}.10": "eduPersonTargetedID",
    f"{_EDUPERSON}.11": "eduPersonAssurance",
    f"{_EDUPERSON}.12": "eduPersonPrincipalNamePrior",
    f"{_EDUPERSON}.13": "eduPersonUniqueId",
    f"{_EDUPERSON}.16": "eduPersonOrcid",
    f"{_SCHAC}.9": "schacHomeOrganization",
    f"{_SCHAC}.10": "schacHomeOrganizationType",
    f"{_SCHAC}.14": "schacPersonalUniqueCode",
    f"{_SCHAC}.15": "schacPersonalUniqueID",
    f"{_SUPANN}.2": "supannActivite",
    f"{_SUPANN}.3": "supannOrganisme",
    f"{_SUPANN}.4": "supannCivilite",
    f"{_SUPANN}.8": "supannEntiteAffectation",
    f"{_SUPANN}.10": "supannEtuId",
    f"{_SUPANN}.11": "supannEmpId",
    f"{_SUPANN}.13": "supannEntiteAffectationPrincipale",
    f"{_SUPANN}.14": "supannEtablissement",
    f"{_SUPANN}.20": "supannAliasLogin",
    f"{_SUPANN}.21": "supannRole",
    f"{_SUPANN}.23": "supannRoleGenerique",
    f"{_SUPANN}.24": "supannRoleEntite",
    f"{_SUPANN}.26": "supannEtuCursusAnnee",
    f"{_SUPANN}.29": "supannEtuEtape",
    f"{_SUPANN}.35": "supannEmpCorps",
    f"{_SUPANN}.37": "supannRefId",
}
# Synonyms of the schemas (RFC 4519, RFC 4524) and of Shibboleth's attribute maps.
_SYNONYMS: Mapping[str, str] = {
    "commonname": "cn",
    "surname": "sn",
    "gn": "givenname",
    "userid": "uid",
    "rfc822mailbox": "mail",
    "emailaddress": "email",
    "organizationname": "o",
    "organizationalunitname": "ou",
    "eppn": "edupersonprincipalname",
    "unscoped-affiliation": "edupersonaffiliation",
    "primary-affiliation": "edupersonprimaryaffiliation",
    "entitlement": "edupersonentitlement",
    "assurance": "edupersonassurance",
    "orcid": "edupersonorcid",
}
_URN_PREFIXES = ("urn:mace:dir:attribute-def:", "urn:mace:terena.org:attribute-def:", "urn:schac:attribute-def:")
_BY_OID = {oid: name.lower() for oid, name in _NAME_OF_OID.items()}


@lru_cache(maxsize=1024)  # a CAS server sends the same few names at every login
def canonical_name(name: str) -> str:
    """Return the name under which an attribute is compared, ignoring case (RFC 4512 §1.4)."""
    text = name.strip().lower()
    # XML names have no colons here, so CAS servers write underscores.
    if text.startswith("urn_oid_"):
        text = "urn:oid:" + text.removeprefix("urn_oid_")
    for prefix in _URN_PREFIXES:
        text = text.removeprefix(prefix)
    text = text.removeprefix("urn:").removeprefix("oid:") if text.startswith(("urn:oid:", "oid:")) else text
    text = _BY_OID.get(text, text)
    return _SYNONYMS.get(text, text)


def merge_spellings(attributes: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the attributes by canonical name, with the values of all spellings merged without duplicates."""
    found: dict[str, dict[str, None]] = {}
    for name, values in attributes.items():
        found.setdefault(canonical_name(name), {}).update(dict.fromkeys(values))
    return {name: tuple(values) for name, values in found.items()}
