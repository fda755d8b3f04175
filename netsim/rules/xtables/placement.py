"""Where a rule may stand: what iptables and the kernel ask of it by the table and chain that it is for."""

from __future__ import annotations

from netsim.rules.xtables.ast import BUILTIN_CHAINS, Jump, Verdict
from netsim.rules.xtables.fragment import Fragment, Reading
from netsim.rules.xtables.tables import NAT_DROP, LineRefusedError, TableUnderWork
from netsim.rules.xtables.values import write_protocol

_NO_OUTPUT_DEVICE = ("PREROUTING", "INPUT")
_NO_INPUT_DEVICE = ("POSTROUTING", "OUTPUT")


def refusal(table: TableUnderWork, chain: str, reading: Reading) -> LineRefusedError | None:
    """Why a rule may not stand in a chain, None where it may. Ref: iptables/xshared.c:do_parse() (v1.8.9)."""
    fragment, _, target = reading
    if type(target) is Jump:
        if target.chain not in table.chains:
            kind = "goto" if target.goto else "jump to"
            return LineRefusedError(
                f"Couldn't load target `{target.chain}': no chain or target to {kind}", "", fragment.jump_word
            )
        if target.chain in BUILTIN_CHAINS[table.name]:
            return LineRefusedError(
                f"{target.chain} is a built-in chain: rules cannot jump to it", "", fragment.jump_word
            )
    elif target is Verdict.DROP and table.name == "nat":
        return LineRefusedError(NAT_DROP, "drop in the filter table", fragment.jump_word)
    if fragment.needs and (refused := _unmet(table, fragment)) is not None:
        return refused
    if fragment.out_interface is not None and chain in _NO_OUTPUT_DEVICE:
        return LineRefusedError(f"Can't use -o with {chain}", "a packet has no output device there")
    if fragment.in_interface is not None and chain in _NO_INPUT_DEVICE:
        return LineRefusedError(f"Can't use -i with {chain}", "a packet has no input device there")
    return None


def _unmet(table: TableUnderWork, fragment: Fragment) -> LineRefusedError | None:
    protocol = fragment.protocol
    for name, needs, word in fragment.needs:
        if needs.tables and table.name not in needs.tables:
            return LineRefusedError(f"{name} is only valid in table {' or '.join(needs.tables)}", "", word)
        if needs.protocols and (protocol is None or protocol.inverted or protocol.number not in needs.protocols):
            names = ", ".join(f"-p {write_protocol(number)}" for number in needs.protocols)
            return LineRefusedError(f"{name} requires {names}", "name the protocol in the same rule", word)
    return None
