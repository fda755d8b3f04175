"""The rules that do not depend on any Service: jumps from built-in chains, masquerading, forwarding, node ports.

Ref: pkg/proxy/iptables/proxier.go:iptablesJumpChains, syncProxyRules() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Family
from proxy.iptables.chains import (
    EXTERNAL_SERVICES,
    FORWARD,
    KUBELET_FIREWALL,
    MARK_MASQ,
    NODEPORTS,
    POSTROUTING,
    PROXY_FIREWALL,
    SERVICES,
)
from proxy.iptables.settings import Settings
from proxy.node_port_addresses import LOOPBACK


@dataclass(frozen=True, slots=True)
class Jump:
    """A rule that leads from a built-in chain to one of kube-proxy's. ``rule`` is what follows ``-A chain``."""

    table: str
    chain: str
    target: str
    rule: str


_NEW = "-m conntrack --ctstate NEW "


def _jump(table: str, target: str, chain: str, comment: str, match: str = "") -> Jump:
    text = f'-m comment --comment "{comment}" ' if comment else ""
    return Jump(table, chain, target, f"{match}{text}-j {target}")


JUMPS: tuple[Jump, ...] = (
    # Refuse what no endpoint serves; only new connections need asking.
    _jump("filter", EXTERNAL_SERVICES, "INPUT", "kubernetes externally-visible service portals", _NEW),
    _jump("filter", EXTERNAL_SERVICES, "FORWARD", "kubernetes externally-visible service portals", _NEW),
    # Accept probes of health check node ports.
    _jump("filter", NODEPORTS, "INPUT", "kubernetes health check service ports"),
    _jump("filter", SERVICES, "FORWARD", "kubernetes service portals", _NEW),
    _jump("filter", SERVICES, "OUTPUT", "kubernetes service portals", _NEW),
    # Let marked and established traffic through, whatever the policy of FORWARD is.
    _jump("filter", FORWARD, "FORWARD", "kubernetes forwarding rules"),
    # Drop what a load balancer's source ranges did not let pass.
    _jump("filter", PROXY_FIREWALL, "INPUT", "kubernetes load balancer firewall", _NEW),
    _jump("filter", PROXY_FIREWALL, "OUTPUT", "kubernetes load balancer firewall", _NEW),
    _jump("filter", PROXY_FIREWALL, "FORWARD", "kubernetes load balancer firewall", _NEW),
    # DNAT, for the node's own traffic and for what arrives; then masquerading.
    _jump("nat", SERVICES, "OUTPUT", "kubernetes service portals"),
    _jump("nat", SERVICES, "PREROUTING", "kubernetes service portals"),
    _jump("nat", POSTROUTING, "POSTROUTING", "kubernetes postrouting rules"),
    # The kubelet's chain, which guards 127.0.0.0/8.
    _jump("filter", KUBELET_FIREWALL, "INPUT", ""),
    _jump("filter", KUBELET_FIREWALL, "OUTPUT", ""),
)
"""In the order in which kube-proxy ensures them. Each is put first into its chain, so the last of these ends up on top."""


def jumps_in_place() -> tuple[Jump, ...]:
    """The jumps in the order in which they stand in their chains."""
    return tuple(reversed(JUMPS))


def filter_rules(settings: Settings) -> Mapping[str, str]:
    """Rules of table filter that do not depend on Services, by chain."""
    mark = settings.masquerade_mark
    forward = [
        f'-m comment --comment "kubernetes forwarding rules" -m mark --mark {mark}/{mark} -j ACCEPT',
        '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ]
    if not settings.conntrack_tcp_be_liberal:
        forward.insert(0, "-m conntrack --ctstate INVALID -j DROP")
    rules = {FORWARD: _lines(FORWARD, forward)}
    if guards_localhost(settings):
        guard = (
            '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 '
            "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
        )
        rules[KUBELET_FIREWALL] = _lines(KUBELET_FIREWALL, [guard])
    return rules


def nat_rules(settings: Settings) -> Mapping[str, str]:
    """Rules of table nat that do not depend on Services, by chain; without the jump to node ports."""
    mark = settings.masquerade_mark
    postrouting = [
        f"-m mark ! --mark {mark}/{mark} -j RETURN",
        f"-j MARK --xor-mark {mark}",
        '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
    ]
    return {
        POSTROUTING: _lines(POSTROUTING, postrouting),
        MARK_MASQ: _lines(MARK_MASQ, [f"-j MARK --or-mark {mark}"]),
    }


def node_port_rules(settings: Settings) -> str:
    """The rules at the end of KUBE-SERVICES that lead to node ports: one for all local addresses, or one for each.

    IPv6 node ports are never served on loopback; IPv4 ones only where ``route_localnet`` was set for them.
    """
    comment = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    prefix = f'-m comment --comment "{comment}"'
    if settings.node_port_ips is None:
        loopback = "" if guards_localhost(settings) else f" ! -d {LOOPBACK[settings.family]}"
        return _lines(SERVICES, [f"{prefix} -m addrtype --dst-type LOCAL{loopback} -j {NODEPORTS}"])
    served = [ip for ip in settings.node_port_ips if not ip.is_loopback or guards_localhost(settings)]
    return _lines(SERVICES, [f"{prefix} -d {ip} -j {NODEPORTS}" for ip in served])


def guards_localhost(settings: Settings) -> bool:
    """True where node ports are served on 127.0.0.0/8, so that others must be kept from it."""
    return settings.family is Family.IPV4 and settings.localhost_node_ports


def _lines(chain: str, rules: list[str]) -> str:
    return "".join(f"-A {chain} {rule}\n" for rule in rules)
