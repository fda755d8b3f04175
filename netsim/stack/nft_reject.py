"""reject: what answers a packet. Ref: net/netfilter/nft_reject.c, nft_reject_inet.c, net/ipv4/netfilter/nft_reject_ipv4.c (v6.12)."""

from __future__ import annotations

from collections.abc import Callable

from netsim.rules.nft.ast import Reject
from netsim.stack.environment import HookVerdict
from netsim.stack.reasons import DropReason
from netsim.stack.steps import Hook
from netsim.stack.x_tables import Outcome, RuleNotModelledError, XtContext

_OF_FAMILY: dict[str, tuple[int, dict[str, str]]] = {
    # protocol in the statement: IP version that nft asks for first, code: iptables' name of the same answer
    "icmp": (
        4,
        {
            "net-unreachable": "icmp-net-unreachable",
            "host-unreachable": "icmp-host-unreachable",
            "prot-unreachable": "icmp-proto-unreachable",
            "port-unreachable": "icmp-port-unreachable",
            "net-prohibited": "icmp-net-prohibited",
            "host-prohibited": "icmp-host-prohibited",
            "admin-prohibited": "icmp-admin-prohibited",
        },
    ),
    "icmpv6": (
        6,
        {
            "no-route": "icmp6-no-route",
            "admin-prohibited": "icmp6-adm-prohibited",
            "addr-unreachable": "icmp6-addr-unreachable",
            "port-unreachable": "icmp6-port-unreachable",
            "policy-fail": "icmp6-policy-fail",
            "reject-route": "icmp6-reject-route",
        },
    ),
}
_OF_BOTH: dict[str, dict[int, str]] = {
    # icmpx: nft_reject.c:icmp_code_v4, icmp_code_v6
    "no-route": {4: "icmp-net-unreachable", 6: "icmp6-no-route"},
    "port-unreachable": {4: "icmp-port-unreachable", 6: "icmp6-port-unreachable"},
    "host-unreachable": {4: "icmp-host-unreachable", 6: "icmp6-addr-unreachable"},
    "admin-prohibited": {4: "icmp-admin-prohibited", 6: "icmp6-adm-prohibited"},
}


def reject_kind(statement: Reject, version: int) -> str | None:
    """The answer to a packet of an IP version, by iptables' names; None for one of the other family (``NFT_BREAK``)."""
    if statement.protocol == "tcp":
        return "tcp-reset"
    if statement.protocol == "icmpx":
        return _OF_BOTH[statement.code][version]
    wanted, kinds = _OF_FAMILY[statement.protocol]
    if statement.code not in kinds:
        raise RuleNotModelledError(f"reject with {statement.protocol} {statement.code}")
    return kinds[statement.code] if version == wanted else None


def reject(statement: Reject) -> Callable[[XtContext], Outcome | None]:
    """Answer and drop."""

    def apply(ctx: XtContext) -> Outcome | None:
        if ctx.hook in (Hook.INGRESS, Hook.EGRESS) or ctx.skb.arp is not None:
            raise RuleNotModelledError(f"reject at {ctx.hook.value}")
        kind = reject_kind(statement, ctx.skb.packet.ip.dst.version)
        if kind is None:
            return None
        ctx.env.send_reject(ctx.skb, ctx.hook, kind)
        return Outcome(HookVerdict.DROP, f"reject with {kind}", "REJECT", DropReason.NETFILTER_REJECT, kind)

    return apply
