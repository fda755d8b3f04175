"""``netsim trace SRC DST``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from netsim.cli.answer import as_json, deliver, style_for, width_for
from netsim.cli.exit import Exit, InputError
from netsim.cli.loading import open_world
from netsim.cli.options import FOLDER, PORT, mode_option, output_option, port_option, protocol_option, topology_option
from netsim.trace.model import Trace, Verdict

if TYPE_CHECKING:
    from netsim.scenario.question import PacketOptions
    from netsim.scenario.world import World
    from netsim.trace.selection import Selection

Parameters: TypeAlias = Mapping[str, Any]
"""What click read from a command line, by the names below."""

VERDICT_STATUS = {Verdict.DELIVERED: Exit.OK, Verdict.UNKNOWN: Exit.UNKNOWN}
FORMS = ("text", "json", "yaml", "md", "svg", "dot")


OFFSET = click.IntRange(-(2**31), 2**31 - 1)


def mark_value(text: str) -> int:
    """A mark of 32 bits, decimal or hexadecimal."""
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFFFFFF:
        raise click.BadParameter(f"{text!r} is not a number from 0 to 0xffffffff")
    return number


@click.command("trace")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@topology_option
@mode_option
@port_option
@protocol_option
@click.option("--sport", type=PORT, metavar="PORT", help="Source port (icmp: the echo identifier).  [default: 40000]")
@click.option("--flags", metavar="LIST", help="TCP flags of the first segment, such as syn or ack,fin.  [default: syn]")
@click.option(
    "--seq-offset",
    type=OFFSET,
    metavar="BYTES",
    help="After the handshake send a data segment that begins so far beyond (or before) what the peer expects.",
)
@click.option(
    "--answer-seq-offset",
    type=OFFSET,
    metavar="BYTES",
    help="After the handshake the peer sends a data segment that begins so far beyond (or before) what is expected.",
)
@click.option(
    "--at-once",
    is_flag=True,
    help="udp: the socket sends two datagrams at once, as a resolver asks for A and AAAA.",
)
@click.option(
    "--size",
    type=click.IntRange(0, 65495),
    default=0,
    metavar="BYTES",
    help="Payload of the first packet.  [default: 0]",
)
@click.option("--df", "dont_fragment", is_flag=True, help="Set Don't Fragment (TCP sets it by itself).")
@click.option(
    "--ttl",
    type=click.IntRange(1, 255),
    default=64,
    metavar="N",
    help="Time to live of the first packet.  [default: 64]",
)
@click.option("--mark", type=mark_value, default="0", metavar="NUMBER", help="The socket's mark (SO_MARK).")
@click.option("-4", "version", flag_value=4, type=int, help="Take DST's IPv4 address.")
@click.option("-6", "version", flag_value=6, type=int, help="Take DST's IPv6 address.")
@click.option("--pick", type=click.IntRange(min=1), metavar="N", help="Follow branch N alone.")
@click.option("--backend", metavar="IP:PORT", help="Follow the branches that go to that endpoint.")
@click.option("--seed", type=int, metavar="N", help="Draw one branch by its probability.")
@click.option("--one-way", is_flag=True, help="Leave out the answer.")
@click.option(
    "--mends/--no-mends",
    default=None,
    help="Try changes that would deliver the packet, and tell those that do.  [default: where the cluster is not too large]",
)
@click.option("--minimal", "detail", flag_value="minimal", type=str, help="Verdict and rewrites only; a stable format.")
@click.option("--summary", "detail", flag_value="summary", type=str, help="One line for each hop.")
@click.option("--all", "detail", flag_value="all", type=str, help="Every rule that was looked at, matched or not.")
@click.option("-o", "--output", "form", type=click.Choice(FORMS), default="text", show_default=True)
@output_option
@click.option(
    "--pcap",
    type=FOLDER,
    help="Write one capture for each network namespace into this folder.",
)
@click.option("--expect", metavar="VERDICT[:REASON]", help="Exit with 0 if the answer is this one, with 1 otherwise.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> Exit:
    """Where does this packet go, hop by hop, there and back?

    SRC: a pod, NAMESPACE/POD, deployment/NAME (or another workload), node/NAME, an external host's name, an address.

    DST: the same, a Service, NAMESPACE/SERVICE:PORT (number or name), ADDRESS:PORT.
    """
    wanted = expectation(given["expect"])
    if given["detail"] and given["form"] not in ("text", "md"):
        raise InputError(
            f"--{given['detail']} says nothing beside -o {given['form']}", "it chooses how much text is told"
        )
    if given["one_way"] and given["answer_seq_offset"] is not None:
        raise InputError("--answer-seq-offset is of the answer, and --one-way leaves it out")
    world = open_world(given["sources"], given["mode"])
    found = traced(context.params, world)
    deliver(_rendered(world, found, given["form"], given["detail"], given["output"]), given["output"])
    if given["pcap"] is not None:
        _write_captures(found, given["pcap"])
    return _status(found, wanted)


def parsed(words: Sequence[str]) -> Parameters:
    """The parameters that the words of a command line give, such as ``-t default pod-a svc-x``."""
    return command.make_context("trace", list(words)).params


def traced(given: Parameters, world: World | None = None) -> Trace:
    """The answer to what a command line asks, in the world that it names or in another. Raises InputError."""
    from netsim.scenario.names import UnknownNameError
    from netsim.scenario.question import answer, question_of
    from netsim.trace.selection import SelectionError

    world = world or open_world(given["sources"], given["mode"])
    one_way, seed = given["one_way"], given["seed"]
    try:
        question = question_of(world, given["source"], given["destination"], _packet(given))
        selection = _selection(given["pick"], given["backend"], seed)
        found = answer(world, question, selection, one_way=one_way, seed=seed or 0)
    except UnknownNameError as error:
        raise InputError(error.message, error.advice) from error
    except SelectionError as error:
        raise InputError(error.message, error.help) from error
    mends, whole = given["mends"], given["pick"] is None and given["backend"] is None and not one_way
    if mends or (mends is None and given["detail"] != "minimal" and whole):
        found = _mended(world, found, anyhow=bool(mends))
    return found


def _packet(given: Parameters) -> PacketOptions:
    from netsim.scenario.question import PacketOptions

    return PacketOptions(**{field.name: given[field.name] for field in fields(PacketOptions)})


def _mended(world: World, found: Trace, *, anyhow: bool) -> Trace:
    """The trace with what would mend it. Every change is tried in a world of its own, which of a large cluster takes its time."""
    if found.verdict is Verdict.DELIVERED:
        return found
    from netsim.scenario.mends.search import LARGE, with_mends

    return with_mends(world, found) if anyhow or len(world.objects) <= LARGE else found


def _selection(pick: int | None, backend: str | None, seed: int | None) -> Selection:
    from netsim.scenario.question import backend_of
    from netsim.trace.selection import Selection

    return Selection(pick, None if backend is None else backend_of(backend), seed)


def expectation(text: str | None) -> tuple[Verdict, str | None] | None:
    """What ``--expect VERDICT[:REASON]`` says. Raises InputError for words that are none."""
    if text is None:
        return None
    verdict, _, reason = text.upper().partition(":")
    if verdict not in Verdict.__members__:
        raise InputError(f"--expect: {verdict!r} is no verdict", f"the verdicts are {', '.join(Verdict.__members__)}")
    if reason:
        from netsim.trace.reasons import reasons

        if reason not in reasons():
            close = difflib.get_close_matches(reason, sorted(reasons()), n=1)
            advice = f"did you mean {close[0]}?" if close else "'netsim explain' lists every reason"
            raise InputError(f"--expect: {reason!r} is no reason", advice)
    return Verdict[verdict], reason or None


def _status(trace: Trace, wanted: tuple[Verdict, str | None] | None) -> Exit:
    if wanted is None:
        return VERDICT_STATUS.get(trace.verdict, Exit.NOT_DELIVERED)
    verdict, reason = wanted
    holds = trace.verdict is verdict and reason in (None, trace.decisive.reason)
    if not holds:
        found = f"{trace.verdict.value}:{trace.decisive.reason}"
        click.echo(f"error: expected {verdict.value}{f':{reason}' if reason else ''}, found {found}", err=True)
    return Exit.OK if holds else Exit.NOT_DELIVERED


def _rendered(world: World, trace: Trace, form: str, detail: str | None, output: Path | None) -> str:
    if form in ("svg", "dot"):
        from netsim.render.draw import draw_walk_dot, draw_walk_svg

        return (draw_walk_svg if form == "svg" else draw_walk_dot)(world.topology, trace)
    if form == "md":
        from netsim.render.form import Detail
        from netsim.render.markdown import trace_md

        return trace_md(trace, detail=Detail[detail.upper()] if detail else Detail.MATCHED)
    if form == "text":
        from netsim.render.form import Detail
        from netsim.render.text import render_text

        chosen = Detail[detail.upper()] if detail else Detail.MATCHED
        return render_text(trace, detail=chosen, style=style_for(output), width=width_for(output))
    from netsim.render.document import trace_document

    document = trace_document(trace)
    if form == "json":
        return as_json(document)
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _write_captures(trace: Trace, folder: Path) -> None:
    from netsim.cli.answer import write
    from netsim.render.pcap import captures

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror or error}") from error
    for name, content in captures(trace).items():
        write(folder / name, content)
