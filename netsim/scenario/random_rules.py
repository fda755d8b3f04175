"""Hypothesis strategies for a machine's own iptables rules: every match and target that the model walks, where iptables allows it."""

from __future__ import annotations

from hypothesis import strategies as st

from netsim.dataclass import dataclass
from netsim.scenario.random_words import WORDS, Words

PORTS = ("80", "8080", "53", "40000", "1:1023", "30000:32767", "1024:65535")
MARKS = ("0x1", "0x2", "0x4000", "0x8000")
TCP_FLAGS = ("SYN,RST,ACK,FIN SYN", "SYN,ACK SYN,ACK", "RST RST", "ALL ACK", "FIN,SYN NONE")
STATES = ("NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "UNTRACKED", "DNAT", "SNAT", "NEW,RELATED")
IN_HOOKS = ("PREROUTING", "INPUT", "FORWARD")
OUT_HOOKS = ("FORWARD", "OUTPUT", "POSTROUTING")
DEVICES = ("eth0", "cni0", "lo", "veth+", "eth+")

TABLES: dict[str, tuple[str, ...]] = {
    # table: the base chains that rules are put into
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a rule stands. ``chain`` is the base chain, also for a chain that only this base chain jumps to."""

    table: str
    chain: str
    words: Words


@st.composite
def rules_text(draw: st.DrawFn, *, most: int = 8, version: int = 4) -> str:
    """Rules in the format of iptables-save or, of IP version 6, of ip6tables-save."""
    tables: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, most))):
        table = draw(st.sampled_from(sorted(TABLES)))
        spot = Spot(table, draw(st.sampled_from(TABLES[table])), WORDS[version])
        lines = tables.setdefault(table, [])
        if draw(st.integers(0, 4)) == 0:
            own = f"OWN-{number}"
            lines.insert(0, f":{own} - [0:0]")
            jump = draw(st.sampled_from(("-j", "-j", "-g")))
            lines.append(" ".join(["-A", spot.chain, *draw(matches(spot)), jump, own]))
            lines += [_rule(draw, spot, own) for _ in range(draw(st.integers(1, 2)))]
        else:
            lines.append(_rule(draw, spot, spot.chain))
    policies = {chain: draw(st.sampled_from(("ACCEPT",) * 9 + ("DROP",))) for chain in TABLES["filter"]}
    return "".join(_table(table, lines, policies) for table, lines in sorted(tables.items()))


def _table(table: str, lines: list[str], policies: dict[str, str]) -> str:
    chains = [f":{chain} {policies[chain] if table == 'filter' else 'ACCEPT'} [0:0]" for chain in TABLES[table]]
    declared = [line for line in lines if line.startswith(":")]
    rules = [line for line in lines if not line.startswith(":")]
    return "\n".join([f"*{table}", *chains, *declared, *rules, "COMMIT", ""])


def _rule(draw: st.DrawFn, spot: Spot, chain: str) -> str:
    target = draw(targets(spot))
    words = draw(matches(spot))
    if "tcp-reset" in target:
        words = _with_protocol(words, "tcp")
    if "--to-ports" in target or (target[1:2] in (["DNAT"], ["SNAT"]) and _names_port(target[-1])):
        words = words if words[:1] == ["-p"] and words[1] in ("tcp", "udp") else _with_protocol(words, "udp")
    return " ".join(["-A", chain, *words, *target])


def _names_port(end: str) -> bool:
    """True for ``10.0.0.1:80`` and ``[fd00::1]:80``."""
    return "]:" in end or (end.count(":") == 1)


def _with_protocol(words: list[str], protocol: str) -> list[str]:
    """The words with this protocol, without what belongs to another one."""
    if words[:2] == ["-p", protocol]:
        return words
    rest = words
    while rest[:1] in (["-p"], ["!"]) and "-p" in rest[:2]:
        rest = rest[rest.index("-p") + 2 :]
        while rest[:1] == ["-m"] and rest[1] in ("tcp", "udp", "icmp", "icmp6", "multiport"):
            ends = [i for i, word in enumerate(rest) if word == "-m" and i > 0]
            rest = rest[ends[0] :] if ends else []
    return ["-p", protocol, *rest]


# --- matches -----------------------------------------------------------------------------------------------------


@st.composite
def matches(draw: st.DrawFn, spot: Spot) -> list[str]:
    """The conditions of a rule: header parts, then extension matches."""
    words: list[str] = []
    if draw(st.integers(0, 2)) == 0:
        words += draw(_transport(spot.words))
    for option in ("-s", "-d"):
        if draw(st.integers(0, 5)) == 0:
            prefix = draw(st.sampled_from(spot.words.prefixes))
            everything = (
                prefix == spot.words.everything
            )  # "not" of it iptables-nft 1.8.9 writes as what no kernel takes
            words += [*([] if everything else draw(_maybe_not())), option, prefix]
    if spot.chain in IN_HOOKS and draw(st.integers(0, 7)) == 0:
        words += [*draw(_maybe_not()), "-i", draw(st.sampled_from(DEVICES))]
    if spot.chain in OUT_HOOKS and draw(st.integers(0, 7)) == 0:
        words += [*draw(_maybe_not()), "-o", draw(st.sampled_from(DEVICES))]
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 1, 2)))):
        words += draw(_extension(spot))
    return words


def _maybe_not() -> st.SearchStrategy[list[str]]:
    return st.sampled_from(([], [], [], ["!"]))


@st.composite
def _transport(draw: st.DrawFn, spoken: Words) -> list[str]:
    icmp, module, option = spoken.icmp
    protocol = draw(st.sampled_from(("tcp", "udp", icmp)))
    words = ["-p", protocol]
    if protocol == icmp:
        kind = draw(st.sampled_from(spoken.icmp_kinds))
        return [*words, "-m", module, *(draw(_maybe_not()) if kind != "any" else []), option, kind]
    match draw(st.integers(0, 4)):
        case 0:
            return words
        case 1:
            which = draw(st.sampled_from(("--sports", "--dports", "--ports")))
            ports = ",".join(draw(st.lists(st.sampled_from(PORTS), min_size=1, max_size=3, unique=True)))
            return [*words, "-m", "multiport", *draw(_maybe_not()), which, ports]
        case 2 if protocol == "tcp":
            return [*words, "-m", "tcp", *draw(_maybe_not()), "--tcp-flags", draw(st.sampled_from(TCP_FLAGS))]
        case _:
            which = draw(st.sampled_from(("--sport", "--dport", "--dport")))
            return [*words, "-m", protocol, *draw(_maybe_not()), which, draw(st.sampled_from(PORTS))]


@st.composite
def _extension(draw: st.DrawFn, spot: Spot) -> list[str]:
    name = draw(st.sampled_from(_allowed(spot)))
    inverted = draw(_maybe_not())
    match name:
        case "conntrack":
            return ["-m", name, *draw(_conntrack(spot))]
        case "state":
            return ["-m", name, *inverted, "--state", draw(st.sampled_from(STATES[:5]))]
        case "mark" | "connmark":
            value = draw(st.sampled_from(MARKS))
            return ["-m", name, *inverted, "--mark", draw(st.sampled_from((value, f"{value}/{value}", f"0x0/{value}")))]
        case "addrtype":
            return ["-m", name, *draw(_addrtype(spot))]
        case "statistic":
            return [
                "-m",
                name,
                "--mode",
                "random",
                *inverted,
                "--probability",
                draw(st.sampled_from(("0.5", "0.25", "1.0"))),
            ]
        case "nth":
            return ["-m", "statistic", "--mode", "nth", "--every", "2", "--packet", draw(st.sampled_from("01"))]
        case "recent":
            return ["-m", name, *draw(_recent())]
        case "physdev":
            return ["-m", name, *inverted, *draw(_physdev(spot))]
        case "mac":
            return ["-m", name, *inverted, "--mac-source", "0a:58:0a:f4:01:02"]
        case _:
            return ["-m", "comment", "--comment", '"a rule of its own"']


def _allowed(spot: Spot) -> list[str]:
    names = ["conntrack", "state", "mark", "connmark", "addrtype", "statistic", "recent", "comment"]
    if spot.words.version == 4:
        names.append("nth")  # neighbour discovery passes the rules of IPv6: nth would count it, whenever it comes
    if spot.table == "raw":
        names = ["mark", "addrtype", "statistic", "recent", "comment"]
    names += ["mac"] if spot.chain in IN_HOOKS else []
    names += ["physdev"] if spot.chain in (*IN_HOOKS, "POSTROUTING") else []
    return names


@st.composite
def _conntrack(draw: st.DrawFn, spot: Spot) -> list[str]:
    inverted = draw(_maybe_not())
    match draw(st.integers(0, 5)):
        case 0 | 1 | 2:
            return [*inverted, "--ctstate", draw(st.sampled_from(STATES))]
        case 3:
            return ["--ctdir", draw(st.sampled_from(("ORIGINAL", "REPLY")))]
        case 4:
            which = draw(st.sampled_from(("--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst")))
            return [*inverted, which, draw(st.sampled_from(spot.words.prefixes))]
        case _:
            which = draw(st.sampled_from(("--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport", "--ctrepldstport")))
            return [*inverted, which, draw(st.sampled_from(PORTS))]


@st.composite
def _addrtype(draw: st.DrawFn, spot: Spot) -> list[str]:
    words = [
        *draw(_maybe_not()),
        draw(st.sampled_from(("--src-type", "--dst-type"))),
        draw(st.sampled_from(spot.words.address_types)),
    ]
    if spot.chain in ("PREROUTING", "INPUT") and draw(st.integers(0, 3)) == 0:
        words.append("--limit-iface-in")
    if spot.chain in ("OUTPUT", "POSTROUTING") and draw(st.integers(0, 3)) == 0:
        words.append("--limit-iface-out")
    return words


@st.composite
def _recent(draw: st.DrawFn) -> list[str]:
    side = draw(st.sampled_from(("--rsource", "--rdest")))
    match draw(st.integers(0, 2)):
        case 0:
            return ["--name", "own", "--set", side]
        case 1:
            hits = draw(st.sampled_from(([], ["--hitcount", "2"], ["--seconds", "30"])))
            return ["--name", "own", *draw(_maybe_not()), draw(st.sampled_from(("--rcheck", "--update"))), *hits, side]
        case _:
            return ["--name", "own", "--remove", side]


@st.composite
def _physdev(draw: st.DrawFn, spot: Spot) -> list[str]:
    options = ["--physdev-is-in"]
    if spot.chain in ("FORWARD", "POSTROUTING"):
        options += ["--physdev-is-out", "--physdev-is-bridged"]
    return [draw(st.sampled_from(options))]


# --- targets -----------------------------------------------------------------------------------------------------


@st.composite
def targets(draw: st.DrawFn, spot: Spot) -> list[str]:
    """What a rule does, as its table and base chain allow."""
    kinds = ["ACCEPT", "RETURN", "LOG", "NONE"]
    kinds += ["DROP"] if spot.table != "nat" else []
    kinds += {
        "raw": ["NOTRACK", "CT"],
        "mangle": ["MARK", "MARK", "CONNMARK", "CONNMARK"],
        "nat": ["NAT", "NAT", "NAT", "MARK"],
        "filter": ["REJECT", "REJECT", "MARK"],
    }[spot.table]
    match draw(st.sampled_from(kinds)):
        case "NONE":
            return []
        case "REJECT":
            return ["-j", "REJECT", "--reject-with", draw(st.sampled_from(spot.words.rejects))]
        case "MARK":
            how = draw(st.sampled_from(("--set-xmark", "--or-mark", "--and-mark", "--xor-mark")))
            return ["-j", "MARK", how, draw(st.sampled_from(MARKS))]
        case "CONNMARK":
            return [
                "-j",
                "CONNMARK",
                *draw(st.sampled_from((["--save-mark"], ["--restore-mark"], ["--set-mark", "0x2"]))),
            ]
        case "CT":
            return ["-j", "CT", "--notrack"]
        case "NAT":
            return draw(_nat(spot))
        case "LOG":
            return ["-j", "NFLOG", "--nflog-group", "7"]
        case name:
            return ["-j", name]


@st.composite
def _nat(draw: st.DrawFn, spot: Spot) -> list[str]:
    if spot.chain in ("PREROUTING", "OUTPUT"):
        if draw(st.booleans()):
            return ["-j", "REDIRECT", *draw(st.sampled_from(([], ["--to-ports", "8080"])))]
        to = draw(st.sampled_from(spot.words.destinations))
        return ["-j", "DNAT", "--to-destination", to]
    if spot.chain == "POSTROUTING" and draw(st.booleans()):
        return ["-j", "MASQUERADE", *draw(st.sampled_from(([], ["--random-fully"], ["--to-ports", "2000-2010"])))]
    to = draw(st.sampled_from(spot.words.sources))
    return ["-j", "SNAT", "--to-source", to]
