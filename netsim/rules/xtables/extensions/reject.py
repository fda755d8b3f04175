"""``-j REJECT``. Ref: iptables extensions/libipt_REJECT.c, libip6t_REJECT.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import RejectTarget
from netsim.rules.xtables.option import Extension, Given, Needs, Option

_IPV4 = {
    # full name: short name
    "icmp-net-unreachable": "net-unreach",
    "icmp-host-unreachable": "host-unreach",
    "icmp-proto-unreachable": "proto-unreach",
    "icmp-port-unreachable": "port-unreach",
    "icmp-net-prohibited": "net-prohib",
    "icmp-host-prohibited": "host-prohib",
    "tcp-reset": "tcp-rst",
    "icmp-admin-prohibited": "admin-prohib",
}
_IPV6 = {
    "icmp6-no-route": "no-route",
    "icmp6-adm-prohibited": "adm-prohibited",
    "icmp6-addr-unreachable": "addr-unreach",
    "icmp6-port-unreachable": "port-unreach",
    "tcp-reset": "tcp-reset",
    "icmp6-policy-fail": "policy-fail",
    "icmp6-reject-route": "reject-route",
}
_HOOKS = ("INPUT", "FORWARD", "OUTPUT")


def _build(given: Given) -> RejectTarget:
    kinds = _IPV4 if given.family is Family.IPV4 else _IPV6
    default = "icmp-port-unreachable" if given.family is Family.IPV4 else "icmp6-port-unreachable"

    def read(text: str) -> str:
        folded = text.lower()
        begun = [kind for kind, short in kinds.items() if kind.startswith(folded) or short.startswith(folded)]
        if not begun or not folded:
            raise ValueError(f"unknown reject type {text!r}")
        return begun[0]

    return RejectTarget(given.read("reject-with", read) or default)


REJECT = Extension(
    "REJECT",
    (Option("reject-with"),),
    _build,
    lambda target, _family: ["REJECT", "--reject-with", target.kind],
    (RejectTarget,),
    needs=lambda target: Needs((6,) if target.kind == "tcp-reset" else (), ("filter",), _HOOKS),
)
