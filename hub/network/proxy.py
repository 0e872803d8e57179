"""The configuration of Squid, the proxy of LAB_NETWORK=allowlist.

Squid compares names before it resolves them, so a lab cannot send data out in DNS queries for other names. It rejects
names that resolve to private addresses; the rules of the firewall stop its packets if it does not.
"""

from hub.config.network_settings import PROXY_PORT, NetworkSettings
from hub.network.rules import NEVER, PRIVATE


def render_configuration(settings: NetworkSettings) -> str:
    """Return squid.conf. It logs rejected requests only, because the others are private."""
    ports = sorted({port for _, port in settings.allowed})
    lines = [
        f"http_port {PROXY_PORT}",
        "visible_hostname egress-proxy",
        "pid_filename none",
        "cache deny all",
        "cache_mem 8 MB",
        "max_filedescriptors 16384",
        "shutdown_lifetime 1 seconds",
        "pinger_enable off",
        "via off",
        "forwarded_for delete",
        f"acl labs src {settings.subnet}",
        f"acl private dst {' '.join(NEVER + PRIVATE)} ::1 fc00::/7 fe80::/10 ff00::/8",
    ]
    for port in ports:
        hosts = _without_covered({host for host, one in settings.allowed if one == port})
        lines += [
            f"acl hosts_{port} dstdomain -n {' '.join(hosts)}",
            f"acl port_{port} port {port}",
            f"acl allowed_{port} all-of port_{port} hosts_{port}",
        ]
    lines += [
        f"acl allowed any-of {' '.join(f'allowed_{port}' for port in ports)}",
        "http_access deny !labs",
        "http_access deny !allowed",
        "http_access deny private",
        "http_access allow labs",
        "http_access deny all",
        "access_log stdio:/dev/stdout labs !allowed",
        "cache_log stdio:/dev/stderr",
    ]
    return "\n".join(lines) + "\n"


def _without_covered(hosts: set[str]) -> list[str]:
    """Return the hosts without those below a domain of the list, because Squid rejects such lists."""
    domains = {host for host in hosts if host.startswith(".")}
    return sorted(host for host in hosts if not any(f".{host}".endswith(one) for one in domains - {host}))
