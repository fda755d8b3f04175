"""Hypothesis strategies for a machine's own nftables rules: what the model walks, where the kernel allows it."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from netsim.dataclass import dataclass
from netsim.scenario.random_words import spelled

PREFIXES = (
    "PODS",
    "PODS1",
    "POD1",
    "POD2",
    "SERVICES",
    "SERVICE",
    "NODES",
    "NODE1",
    "NODE2",
    "CLIENT",
    "LOOPBACK",
    "SOMEPODS",
)
PORTS = ("80", "8080", "53", "40000", "1-1023", "30000-32767", "1024-65535")
MARKS = ("0x1", "0x2", "0x4000", "0x8000")
DEVICES = ("eth0", "cni0", "lo", "veth*", "eth*")
STATES = ("new", "established", "established,related", "invalid", "untracked", "new,related")
STATUSES = ("dnat", "snat", "assured", "seen-reply", "confirmed", "snat,dnat")
TYPES = {
    4: ("local", "unicast", "broadcast", "multicast", "blackhole", "unreachable"),
    6: ("local", "unicast", "anycast", "multicast", "unreachable"),
}
REJECTS = {
    4: (
        *("icmp net-unreachable", "icmp host-unreachable", "icmp prot-unreachable", "icmp port-unreachable"),
        "icmp admin-prohibited",
    ),
    6: (
        *("icmpv6 no-route", "icmpv6 admin-prohibited", "icmpv6 addr-unreachable", "icmpv6 port-unreachable"),
        *("icmpv6 policy-fail", "icmpv6 reject-route"),
    ),
}
EVERY_REJECT = ("icmpx port-unreachable", "icmpx no-route", "icmpx admin-prohibited", "tcp reset")
IN_HOOKS = ("prerouting", "input", "forward")
OUT_HOOKS = ("forward", "output", "postrouting")

BASES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    # chain type, hook, priorities
    ("filter", "prerouting", (-300, -150, -110, 0)),
    ("filter", "input", (-150, -1, 0, 10)),
    ("filter", "forward", (-150, -1, 0, 10)),
    ("filter", "output", (-300, -150, 0, 10)),
    ("filter", "postrouting", (-150, 0, 110)),
    ("route", "output", (-150, 0)),
    ("nat", "prerouting", (-110, -100, 0)),
    ("nat", "output", (-110, -100)),
    ("nat", "input", (100,)),
    ("nat", "postrouting", (90, 100, 110)),
)
NAT: dict[str, tuple[str, ...]] = {
    # hook of a nat chain: what may be decided there
    "prerouting": (
        *(
            "dnat FAMILY to ATPOD1:8080",
            "dnat FAMILY to POD2",
            "redirect to :80",
            "dnat to :8080",
            "redirect",
        ),
        *("dnat FAMILY to IP daddr map { SERVICE : POD1, NODE1 : POD2 }",),
        "dnat FAMILY addr . port to numgen random mod 2 map { 0 : POD1 . 8080, 1 : POD2 . 8080 }",
        "dnat FAMILY to POD1-POD3",
    ),
    "output": ("dnat FAMILY to ATPOD1:8080", "dnat FAMILY to POD2", "redirect to :80"),
    "input": ("snat FAMILY to NOBODY", "snat FAMILY to FREE"),
    "postrouting": (
        *("masquerade", "masquerade fully-random", "masquerade to :2000-2100", "snat FAMILY to NODE1"),
        *("snat FAMILY to ATNODE1:5000-5010", "snat FAMILY to NOBODY"),
    ),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a rule stands: the base chain from which it is reached, its table's family, and the IP version that it is written for."""

    family: str
    version: int
    type: str
    hook: str
    priority: int


@st.composite
def nft_text(draw: st.DrawFn, *, most: int = 3, versions: tuple[int, ...] = (4,)) -> str:
    """Tables for ``nft -f``, each written for one of the IP versions."""
    return "".join(_table(draw, number, versions) for number in range(draw(st.integers(1, most))))


def _table(draw: st.DrawFn, number: int, versions: tuple[int, ...]) -> str:
    version = draw(st.sampled_from(versions))
    family = draw(st.sampled_from((spelled("IP", version), "inet")))
    lines = [f"table {family} own{number} {{", *_SETS]
    for base in range(draw(st.integers(1, 3))):
        kind, hook, priorities = draw(st.sampled_from(BASES))
        spot = Spot(family, version, kind, hook, draw(st.sampled_from(priorities)))
        lines += _chains(draw, spot, f"c{base}")
    return spelled("\n".join([*lines, "}", ""]), version)


_SETS = (
    "  set nets { type ADDRESS; flags interval; elements = { PODS1, CLIENT } }",
    "  set hosts { type ADDRESS; elements = { POD1, NODE2 } }",
    "  set seen { type ADDRESS; flags dynamic,timeout; timeout 1m; }",
    "  set ends { type ADDRESS . inet_service; flags interval; elements = { PODS . 80-90, SERVICE . 80 } }",
    "  map marks { type ADDRESS : mark; elements = { POD1 : 0x00000001, POD3 : 0x00000002 } }",
)


def _chains(draw: st.DrawFn, spot: Spot, name: str) -> list[str]:
    policy = draw(st.sampled_from(("accept", "accept", "accept", "drop"))) if spot.type == "filter" else "accept"
    rules = [_rule(draw, spot, name) for _ in range(draw(st.integers(1, 4)))]
    head = f"    type {spot.type} hook {spot.hook} priority {spot.priority}; policy {policy};"
    own = [_rule(draw, spot, "") for _ in range(draw(st.integers(0, 2)))]
    return [f"  chain {name}-own {{", *own, "  }", f"  chain {name} {{", head, *rules, "  }"]


def _rule(draw: st.DrawFn, spot: Spot, name: str) -> str:
    words = [draw(matches(spot)) for _ in range(draw(st.integers(0, 2)))]
    action = _action(draw, spot, name)
    while words and len(_protocols([*words, action])) > 1:  # nft refuses a rule that asks for two protocols
        words.pop()
    return "    " + " ".join([*words, action])


def _protocols(words: list[str]) -> set[str]:
    """The transport protocols that matches ask for."""
    return {
        name for name in ("tcp", "udp", "ICMP") for word in words if name in word.split() or f"{name}," in word.split()
    }


# --- matches -----------------------------------------------------------------------------------------------------


@cache
def matches(spot: Spot) -> st.SearchStrategy[str]:
    """One match that the kernel takes at a spot. Made once for each: making it takes longer than drawing from it."""
    kinds = [_addresses(), _transport(), _conntrack(), _devices(spot), _beside(), _fib(spot), _computed()]
    return st.one_of(*kinds)


def _addresses() -> st.SearchStrategy[str]:
    end, prefix = st.sampled_from(("IP saddr", "IP daddr")), st.sampled_from(PREFIXES)
    return st.one_of(
        st.builds("{} {}".format, end, prefix),
        st.builds("{} != {}".format, end, prefix),
        st.builds("{} {}@{}".format, end, st.sampled_from(("", "!= ")), st.sampled_from(("nets", "hosts"))),
        st.builds("{} {{ {}, {} }}".format, end, st.sampled_from(PREFIXES[2:5:2]), st.sampled_from(PREFIXES[6:7])),
        st.sampled_from(("IP daddr . tcp dport @ends", "IP saddr . tcp sport != @ends", "TTL < 64", "TTL 63-64")),
        st.sampled_from(("PROTOCOL != tcp", "IP dscp cs0", "PART")),
    )


def _transport() -> st.SearchStrategy[str]:
    port = st.sampled_from(PORTS)
    return st.one_of(
        st.builds("{} {}{}".format, st.sampled_from(("tcp dport", "tcp sport", "udp dport", "th dport")),
                  st.sampled_from(("", "!= ")), port),
        st.builds("tcp dport {{ 80, {} }}".format, st.sampled_from(PORTS[2:4])),
        st.sampled_from(("tcp flags syn", "tcp flags & (syn|ack) == syn", "tcp flags & (fin|syn|rst|ack) != syn")),
        st.sampled_from(("tcp flags syn,ack", "ICMP type echo-request", "ICMP type { echo-reply, destination-unreachable }")),
        st.sampled_from(("meta l4proto tcp", "meta l4proto { tcp, udp }", "meta l4proto != udp", "th dport 80-90")),
    )  # fmt: skip


def _conntrack() -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("ct state {}{}".format, st.sampled_from(("", "!= ")), st.sampled_from(STATES)),
        st.builds("ct status {}".format, st.sampled_from(STATUSES)),
        st.builds("ct direction {}".format, st.sampled_from(("original", "reply"))),
        st.builds("ct original IP daddr {}".format, st.sampled_from(PREFIXES)),
        st.builds("ct reply IP saddr {}".format, st.sampled_from(PREFIXES)),
        st.builds("meta l4proto tcp ct original proto-dst {}".format, st.sampled_from(PORTS)),
        st.builds("ct mark {}".format, st.sampled_from(MARKS)),
        st.sampled_from(("ct mark & 0x3 != 0", "ct status & (snat | dnat) == dnat")),
    )


def _devices(spot: Spot) -> st.SearchStrategy[str]:
    keys = (("iifname",) if spot.hook in IN_HOOKS else ()) + (("oifname",) if spot.hook in OUT_HOOKS else ())
    device = st.sampled_from(DEVICES)
    named = st.builds('{} {}"{}"'.format, st.sampled_from(keys), st.sampled_from(("", "!= ")), device)
    pair = st.sampled_from(('iifname . oifname { "cni0" . "eth0", "eth0" . "cni0" }', 'iif "lo"'))
    return st.one_of(named, pair, st.builds('{} {{ "eth0", "cni0" }}'.format, st.sampled_from(keys)))


def _beside() -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("meta mark {}{}".format, st.sampled_from(("", "!= ")), st.sampled_from(MARKS)),
        st.sampled_from(("meta mark & 0x4000 != 0", "meta protocol IP", "meta pkttype host")),
        st.sampled_from(("meta mark & 0xf0 == 0", "meta mark < 0x2", "meta mark 0x1-0x4", "meta pkttype != broadcast")),
    )


def _fib(spot: Spot) -> st.SearchStrategy[str]:
    kinds = [
        st.builds("fib {} type {}".format, st.sampled_from(("saddr", "daddr")), st.sampled_from(TYPES[spot.version]))
    ]
    kinds.append(st.just(f"fib daddr type {{ local, {TYPES[spot.version][2]} }}"))
    if spot.hook in IN_HOOKS:
        kinds.append(
            st.sampled_from(("fib saddr . iif oif missing", "fib saddr . iif oif exists", 'fib saddr oif "eth0"'))
        )
        kinds.append(
            st.sampled_from(
                ("fib daddr . iif type local", 'fib saddr oifname "cni0"', "fib saddr . mark . iif oif exists")
            )
        )
    return st.one_of(*kinds)


def _computed() -> st.SearchStrategy[str]:
    return st.sampled_from(
        (
            "jhash IP saddr mod 2 seed 0xdeadbeef == 1",
            "jhash IP saddr . IP daddr mod 3 seed 0x1234 == 0",
            "jhash IP saddr . tcp dport mod 4 seed 0x77 offset 10 { 10, 12 }",
            "numgen random mod 2 == 0",
        )
    )


# --- what a rule does ----------------------------------------------------------------------------------------------


def _action(draw: st.DrawFn, spot: Spot, name: str) -> str:
    kinds = ["continue", "verdict", "mark", "map"]
    if spot.type == "nat":
        kinds += ["nat", "nat", "nat"]
    elif spot.hook in ("input", "forward", "output") and spot.type == "filter":
        kinds.append("reject")
    if spot.priority == -300:
        kinds.append("notrack")
    if name:
        kinds.append("jump")
    match draw(st.sampled_from(kinds)):
        case "nat":
            statement = draw(st.sampled_from(NAT[spot.hook]))
            statement = statement.replace("FAMILY", "IP") if spot.family == "inet" else statement.replace("FAMILY ", "")
            return f"meta l4proto tcp {statement}" if _names_port(statement) else statement
        case "reject":
            every = EVERY_REJECT if spot.family == "inet" else EVERY_REJECT[-1:]
            return draw(
                st.sampled_from(("reject", *(f"reject with {kind}" for kind in (*REJECTS[spot.version], *every))))
            )
        case "notrack":
            return "notrack"
        case "jump":
            return draw(st.sampled_from((f"jump {name}-own", f"goto {name}-own")))
        case "mark":
            return draw(st.sampled_from(_MARKING))
        case "map":
            return draw(st.sampled_from(_MAPS))
        case "verdict":
            return draw(st.sampled_from(("accept", "return", "counter accept", "drop")))
        case _:
            return draw(st.sampled_from(("counter", "continue", 'log prefix "x "', "update @seen { IP saddr }",
                                         "add @seen { IP daddr } counter", "IP saddr @seen counter", "IP dscp set cs1")))  # fmt: skip


def _names_port(statement: str) -> bool:
    """A port is translated only once the rule asked for a protocol that has ports."""
    head = statement.partition("{")[0]
    return " . port" in head or ":" in head


_MARKING = (
    *("meta mark set 0x1", "meta mark set meta mark | 0x4000", "ct mark set 0x2", "meta mark set ct mark"),
    *(
        "ct mark set meta mark",
        "meta mark set meta mark ^ 0x1",
        "meta mark set IP saddr map @marks",
        "ct mark set ct mark | 0x4",
    ),
)
_MAPS = (
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "IP daddr vmap { POD1 : accept, PODS2 : continue, SERVICES : return }",
    "tcp dport vmap { 80 : accept, 81-90 : drop, 8080 : continue }",
    "meta l4proto . th dport vmap { tcp . 8080 : return, udp . 53 : accept }",
    "numgen random mod 2 vmap { 0 : accept, 1 : continue }",
    'iifname vmap { "cni0" : continue, "lo" : accept }',
)
