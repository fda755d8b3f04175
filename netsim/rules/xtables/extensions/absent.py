"""Matches on what nothing in the model has: IPsec, extension headers, helpers, device groups, realms, ECN.

Their options are rows as in ``unmodelled``, and their words are written as iptables-save writes them.
Ref: iptables extensions/libxt_policy.c, libxt_helper.c, libxt_devgroup.c, libxt_ecn.c, libipt_realm.c, libip6t_ipv6header.c (v1.8.9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netsim.net.address import Family
from netsim.rules.xtables.extensions.unmodelled import options_of
from netsim.rules.xtables.matches import AbsentMatch
from netsim.rules.xtables.option import BOTH, Extension, Given, Needs
from netsim.rules.xtables.values import read_integer
from netsim.rules.xtables.words import quote_where_needed

_V4, _V6 = (Family.IPV4,), (Family.IPV6,)
_NO_GROUP = {"default": 0, "cosmos": 0}  # /etc/iproute2/group, /etc/iproute2/rt_realms
HEADERS: dict[str, str] = {
    # spellings of ipv6header: as they are printed. Ref: libip6t_ipv6header.c:chain_flags
    "hop": "hop-by-hop",
    "dst": "ipv6-opts",
    "route": "ipv6-route",
    "frag": "ipv6-frag",
    "auth": "ah",
    "esp": "esp",
    "none": "ipv6-nonxt",
    "prot": "protocol",
    "protocol": "protocol",
}

_ROWS: tuple[tuple[str, tuple[Family, ...], str, Needs], ...] = (
    # module, families, options, what the kernel asks of the rule
    ("ah", BOTH, "!ahspi !ahlen ahres=0", Needs((51,))),
    ("cgroup", BOTH, "!path !cgroup", Needs(hooks=("INPUT", "OUTPUT", "POSTROUTING"))),
    ("dccp", BOTH, "!source-port|sport !destination-port|dport !dccp-types !dccp-option", Needs((33,))),
    ("devgroup", BOTH, "!src-group !dst-group", Needs()),
    ("dst", _V6, "!dst-len dst-opts dst-not-strict=0", Needs()),
    ("ecn", BOTH, "!ecn-tcp-cwr=0 !ecn-tcp-ece=0 !ecn-ip-ect", Needs()),
    ("esp", BOTH, "!espspi", Needs((50,))),
    ("eui64", _V6, "", Needs(hooks=("PREROUTING", "INPUT", "FORWARD"))),
    ("frag", _V6, "!fragid !fraglen fragres=0 fragfirst=0 fragmore=0 fraglast=0", Needs()),
    ("hbh", _V6, "!hbh-len hbh-opts hbh-not-strict=0", Needs()),
    ("helper", BOTH, "!helper+", Needs()),
    ("ipcomp", BOTH, "!ipcompspi compres=0", Needs((108,))),
    ("ipv6header", _V6, "!header+ soft=0", Needs()),
    ("mh", _V6, "!mh-type", Needs((135,))),
    ("policy", BOTH, "dir+ pol+ strict=0 !reqid !spi !proto !mode !tunnel-src !tunnel-dst next=0", Needs()),
    ("realm", _V4, "!realm+", Needs(hooks=("INPUT", "FORWARD", "OUTPUT", "POSTROUTING"))),
    ("rt", _V6, "!rt-type !rt-segsleft !rt-len rt-0-res=0 rt-0-addrs rt-0-not-strict=0", Needs()),
    (
        "srh",
        _V6,
        (
            "!srh-next-hdr !srh-hdr-len-eq !srh-hdr-len-gt !srh-hdr-len-lt !srh-segs-left-eq !srh-segs-left-gt "
            "!srh-segs-left-lt !srh-last-entry-eq !srh-last-entry-gt !srh-last-entry-lt !srh-tag !srh-psid !srh-nsid !srh-lsid"
        ),
        Needs((43,)),
    ),
)


def masked(text: str) -> str:
    """``VALUE[/MASK]`` of a group or realm, in hexadecimal."""
    value, slash, mask = text.partition("/")
    number = _NO_GROUP[value] if value in _NO_GROUP else read_integer(value, 0xFFFFFFFF)
    return f"{number:#x}" + (f"/{read_integer(mask, 0xFFFFFFFF):#x}" if slash else "")


def _headers(text: str) -> str:
    unknown = [name for name in text.split(",") if name not in HEADERS and name not in HEADERS.values()]
    if unknown:
        raise ValueError(f"unknown header {unknown[0]!r}: {', '.join(HEADERS)}")
    chosen = {HEADERS.get(name, name) for name in text.split(",")}
    return ",".join(name for name in dict.fromkeys(HEADERS.values()) if name in chosen)


_READERS: Mapping[str, Callable[[str], str]] = {
    "src-group": masked,
    "dst-group": masked,
    "realm": masked,
    "header": _headers,
    "ecn-ip-ect": lambda text: str(read_integer(text, 3)),
}
_ONE_OF = {
    "devgroup": ("src-group", "dst-group"),
    "ecn": ("ecn-tcp-cwr", "ecn-tcp-ece", "ecn-ip-ect"),
    "cgroup": ("path", "cgroup"),
}
_ORDER = {"ecn": ("ecn-tcp-ece", "ecn-tcp-cwr", "ecn-ip-ect"), "ipv6header": ("header", "soft")}


def _build(given: Given) -> AbsentMatch:
    wanted = _ONE_OF.get(given.extension, ())
    if wanted and not any(name in given for name in wanted):
        raise given.problem(f"one of {', '.join(f'--{name}' for name in wanted)} is required")
    words: list[str] = []
    for name in sorted(given.options, key=lambda each: _place(given.extension, each)):
        found = given.options[name]
        read = given.read(name, _READERS[name]) if name in _READERS else None
        values = found.values if read is None else (read,)
        words += [*(["!"] if found.inverted else []), f"--{name}", *values]
    return AbsentMatch(given.extension, tuple(words))


def _place(module: str, option: str) -> int:
    order = _ORDER.get(module, ())
    return order.index(option) if option in order else 0


def _words(match: AbsentMatch, _family: Family) -> list[str]:
    return [match.module, *map(quote_where_needed, match.words)]


def _needs(needs: Needs) -> Callable[[AbsentMatch], Needs]:
    return lambda match: _of_groups(match) if match.module == "devgroup" else needs


def _of_groups(match: AbsentMatch) -> Needs:
    """Where both devices that are asked for are known. Ref: xt_devgroup.c:devgroup_mt_checkentry()."""
    hooks = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
    known = {"--src-group": hooks[:3], "--dst-group": hooks[2:]}
    asked = [known[word] for word in match.words if word in known]
    return Needs(hooks=tuple(hook for hook in hooks if all(hook in each for each in asked)))


ABSENT_MATCHES: tuple[Extension[AbsentMatch], ...] = tuple(
    Extension(name, options_of(specs), _build, _words, (AbsentMatch,), needs=_needs(needs), families=families)
    for name, families, specs, needs in _ROWS
)
