"""Matches on what nothing in the model has. What is absent decides as surely as what is there.

Ref: net/netfilter/xt_policy.c:policy_mt(), xt_helper.c:helper_mt(), xt_devgroup.c:devgroup_mt(), xt_realm.c:realm_mt(), xt_ecn.c,
xt_cgroup.c, net/ipv6/netfilter/ip6t_ipv6header.c, ip6t_eui64.c, ip6t_frag.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netsim.net.packet import TCPFlags, TCPHeader
from netsim.rules.xtables.matches import AbsentMatch
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext

GROUP = REALM = ECT = 0
"""Of every device, of every route and of every packet."""


def absent(match: AbsentMatch) -> Check:
    """The check of one such match."""
    return DECIDERS.get(match.module, _never)(_options(match.words))


Options = Mapping[str, tuple[str, bool]]
"""Each option's value (empty without one), and whether ``!`` stands before it."""


def _options(words: Sequence[str]) -> Options:
    found: dict[str, tuple[str, bool]] = {}
    for index, word in enumerate(words):
        if word.startswith("--"):
            follows = words[index + 1] if index + 1 < len(words) else ""
            value = "" if follows.startswith("--") or follows == "!" else follows
            found[word[2:]] = (value, index > 0 and words[index - 1] == "!")
    return found


def _never(_: Options) -> Check:
    """A header that no packet has: where it is looked for in vain, ``!`` before an option does not count."""
    return lambda _: False


def _helper(options: Options) -> Check:
    """Only what a helper expected has one."""
    inverted = options["helper"][1]
    return lambda _: inverted


def _policy(options: Options) -> Check:
    none = options["pol"][0] == "none"
    return lambda _: none


def _equals(text: str, own: int) -> bool:
    value, slash, mask = text.partition("/")
    return (own & int(mask, 0) if slash else own) == int(value, 0)


def _devgroup(options: Options) -> Check:
    found = all(_equals(text, GROUP) != inverted for text, inverted in options.values())
    return lambda _: found


def _realm(options: Options) -> Check:
    text, inverted = options["realm"]
    found = _equals(text, REALM) != inverted
    return lambda _: found


def _ecn(options: Options) -> Check:
    ect = all((int(text) == ECT) != inverted for name, (text, inverted) in options.items() if name == "ecn-ip-ect")
    bits = {"ecn-tcp-cwr": TCPFlags.CWR, "ecn-tcp-ece": TCPFlags.ECE}
    asked = [(bits[name], inverted) for name, (_, inverted) in options.items() if name in bits]

    def check(ctx: XtContext) -> bool:
        header = ctx.skb.packet.l4
        if asked and not isinstance(header, TCPHeader):
            return False
        flags = header.flags if isinstance(header, TCPHeader) else TCPFlags(0)
        return ect and all(bool(flags & bit) != inverted for bit, inverted in asked)

    return check


def _cgroup(_: Options) -> Check:
    """A packet that no socket of this host sent belongs to no group; the group of a process is nowhere said."""

    def check(ctx: XtContext) -> bool:
        if ctx.skb.socket_owner is not None:
            raise RuleNotModelledError("-m cgroup: the group of the process that sends")
        return False

    return check


def _frag(_: Options) -> Check:
    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        if ip.fragment_offset or ip.more_fragments:
            raise RuleNotModelledError("-m frag: a fragment's header")
        return False

    return check


_PROTOCOL, _FRAGMENT = "protocol", "ipv6-frag"


def _ipv6header(options: Options) -> Check:
    """Which headers a packet has: that of its protocol, and a fragment's. ``--soft`` asks for these at least."""
    wanted, inverted = set(options["header"][0].split(",")), options["header"][1]

    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        there = {_PROTOCOL, *([_FRAGMENT] if ip.fragment_offset or ip.more_fragments else [])}
        if "soft" in options:
            return not (wanted & there if inverted else wanted - there)
        return (there == wanted) != inverted

    return check


def _eui64(_: Options) -> Check:
    """The last half of the source address is made from the frame's source."""

    def check(ctx: XtContext) -> bool:
        mac = ctx.skb.src_mac
        if mac is None:
            return False
        octets = mac.value.to_bytes(6, "big")
        made = bytes((octets[0] ^ 0x02, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
        return ctx.skb.packet.ip.src.packed[8:] == made

    return check


DECIDERS: Mapping[str, Callable[[Options], Check]] = {
    # modules that are not here ask for a header that no packet has
    "cgroup": _cgroup,
    "devgroup": _devgroup,
    "ecn": _ecn,
    "eui64": _eui64,
    "frag": _frag,
    "helper": _helper,
    "ipv6header": _ipv6header,
    "policy": _policy,
    "realm": _realm,
}
