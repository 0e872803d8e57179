"""Packet filter rules of the labs' network, as input for nft.

Two tables are needed. The kernel passes packets between two ports of a bridge through the `bridge` family only, unless
br_netfilter is loaded; all others pass through `inet`. The rules check every packet of a connection that a lab opened,
so a changed setting also applies to open connections. An accept does not override a drop of Docker or of another
firewall.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from hub.config.network_settings import PROXY_PORT, NetworkSettings

HUB_PORT = 8081  # of the hub's API
# Link-local with cloud metadata, "this network", loopback, multicast, reserved and broadcast.
NEVER = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
# Private, carrier-grade NAT, IETF protocol assignments and benchmarks.
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15")
_REJECT = "reject with icmpx admin-prohibited"


@dataclass(frozen=True)
class Host:
    """Facts about the host on which the rules depend.

    Attributes:
        lab_bridge: The device of the labs' network.
        hub: The hub's address in the labs' network, unless the hub has not started yet.
        bridges: All bridge devices, because Docker's networks are behind them.
        resolvers: The host's name servers, except those on a loopback address: Docker queries those itself.
    """

    lab_bridge: str
    hub: IPv4Address | None
    bridges: frozenset[str]
    resolvers: frozenset[IPv4Address]


def table_name(settings: NetworkSettings) -> str:
    """Return the name of both tables."""
    return f"passerelle_{settings.project}"


def render_removal(settings: NetworkSettings) -> str:
    """Return the commands that remove the rules, also if there are none."""
    name = table_name(settings)
    return "".join(f"add table {family} {name}\ndelete table {family} {name}\n" for family in ("inet", "bridge"))


def render_rules(settings: NetworkSettings, host: Host) -> str:
    """Return the commands that replace all rules in one transaction."""
    return render_removal(settings) + _inet_table(settings, host) + _bridge_table(settings, host)


def _inet_table(settings: NetworkSettings, host: Host) -> str:
    subnet, traefik = settings.subnet, settings.traefik
    services = _set({traefik, host.hub} - {None})
    public_ports = f"{{ {', '.join(map(str, sorted({settings.http_port, settings.https_port})))} }}"
    proxied = settings.mode == "allowlist"
    dns = f"meta l4proto {{ tcp, udp }} th dport 53 ip daddr {_set(host.resolvers)} accept" if host.resolvers else ""
    outbound = {"internet": "goto public", "open": _outbound(NEVER, host, dns)}.get(settings.mode, _REJECT)
    return f"""table inet {table_name(settings)} {{
    chain forward {{
        type filter hook forward priority -10; policy accept;
        iifname "{host.lab_bridge}" goto from_lab
        ip saddr {subnet} goto from_lab
        ip daddr {traefik} tcp dport {{ 80, 443 }} accept
        ip daddr {subnet} ct direction original drop
    }}
    chain input {{
        type filter hook input priority -10; policy accept;
        iifname "{host.lab_bridge}" goto to_host
        ip saddr {subnet} goto to_host
    }}
    chain common {{
        ct direction reply accept
        meta nfproto ipv6 drop
        ip saddr != {subnet} drop
        ip saddr {services} accept
    }}
    chain from_lab {{
        jump common
        {_to_hub(host)}
        ip daddr {traefik} tcp dport {{ 80, 443 }} accept
        {f"ip daddr {settings.proxy} tcp dport {PROXY_PORT} accept" if proxied else ""}
        ip daddr {subnet} drop
        ct status dnat {_REJECT}
        {f"ip saddr {settings.proxy} goto public" if proxied else ""}
        goto outbound
    }}
    chain to_host {{
        jump common
        tcp dport {public_ports} accept
        {f"ip saddr {settings.proxy}" if proxied and dns else ""} {dns if settings.mode != "isolated" else ""}
        {_REJECT}
    }}
    chain public {{
        {_REJECT if settings.mode == "isolated" else _outbound(NEVER + PRIVATE, host, dns)}
    }}
    chain outbound {{
        {outbound}
    }}
}}
"""


def _outbound(blocked: tuple[str, ...], host: Host, dns: str) -> str:
    """Return the rules for packets that leave the host."""
    return "\n        ".join(
        (
            f"oifname {_quoted_set(host.bridges)} {_REJECT}",
            dns,
            f"ip daddr {_set(blocked)} {_REJECT}",
            "accept",
        )
    )


def _bridge_table(settings: NetworkSettings, host: Host) -> str:
    """Return the rules for packets between two containers of the network.

    They do without connection tracking, which bridges have since Linux 5.3 only: a lab cannot open a TCP connection
    without a packet that has SYN and not ACK.
    """
    subnet, services = settings.subnet, _set({settings.traefik, host.hub} - {None})
    proxy = f"ip daddr {settings.proxy} tcp dport {PROXY_PORT} accept" if settings.mode == "allowlist" else ""
    answering = _set({settings.traefik, settings.proxy, host.hub} - {None})
    return f"""table bridge {table_name(settings)} {{
    chain forward {{
        type filter hook forward priority -10; policy accept;
        arp saddr ip {subnet} goto arp_frames
        ip saddr {subnet} goto between
        ip daddr {subnet} goto between
    }}
    chain arp_frames {{
        arp saddr ip {answering} accept
        arp daddr ip {answering} accept
        drop
    }}
    chain between {{
        ip saddr {services} accept
        ip saddr {settings.proxy} tcp flags & (syn | ack) != syn accept
        ip daddr {answering} tcp flags & (syn | ack) != syn accept
        {_to_hub(host)}
        ip daddr {settings.traefik} tcp dport {{ 80, 443 }} accept
        {proxy}
        drop
    }}
}}
"""


def _to_hub(host: Host) -> str:
    return f"ip daddr {host.hub} tcp dport {HUB_PORT} accept" if host.hub else ""


def _set(values: Iterable[object]) -> str:
    return f"{{ {', '.join(sorted(map(str, values)))} }}"


def _quoted_set(names: Iterable[str]) -> str:
    return _set(f'"{name}"' for name in names)
