"""Exempts loopback addresses from proxies."""

import ipaddress
import os
from collections.abc import MutableMapping

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HTTP = ("http", "https")


def exempt_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """Exempts loopback addresses from every proxy, for a process and its children.

    Programs differ in which spelling of `no_proxy` they read first, so both get all that either holds.
    SOCKS proxies are left out: httpx, which Prefect and Gradio ask with, makes no client beside one, not
    even for loopback, and no DVC remote can be reached through one.

    Args:
        environment: What to change: by default this process's own.
    """
    for name in [name for name in environment if name.lower().endswith("_proxy")]:
        scheme, separator, _ = environment[name].partition("://")
        if name.lower() != "no_proxy" and separator and scheme.lower() not in _HTTP:
            del environment[name]
    given = (environment.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    hosts = (host.strip() for hosts in given for host in hosts.split(","))
    kept = (host.strip("[]") for host in hosts if host and not _is_ipv6_network(host))
    exempt = ",".join(dict.fromkeys([*kept, *LOOPBACK]))
    environment.update(no_proxy=exempt, NO_PROXY=exempt)


def _is_ipv6_network(host: str) -> bool:
    """Whether it is such as `::1/128`, at which httpx stumbles; with `[::1]` it does, too."""
    try:
        return "/" in host and ipaddress.ip_network(host, strict=False).version == 6
    except ValueError:
        return False
