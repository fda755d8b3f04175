"""``netsim verify [SRC DST]``."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from netsim.cli.exit import Exit, InputError, UnableError
from netsim.cli.guest import guest_options, run_again_in_guest
from netsim.cli.loading import open_world
from netsim.cli.options import PORT, mode_option, topology_option
from netsim.cli.trace import mark_value

if TYPE_CHECKING:
    from netsim.scenario.question import PacketOptions
    from netsim.scenario.world import World
    from netsim.topology.model import Topology
    from netsim.verify.requirements import Missing
    from netsim.verify.run import Case, Effort, Outcome

FLOWS_FOR_EACH_WORLD = 8
DRAWN_MODES = ("iptables", "nftables", "ipvs")
"""The modes of kube-proxy that --random draws worlds in."""

FAMILIES = ("ipv4", "ipv6", "dual")
SAMPLES = 60


@click.command("verify")
@click.argument("source", metavar="[SRC]", required=False)
@click.argument("destination", metavar="[DST]", required=False)
@topology_option
@mode_option
@click.option("--all-flows", is_flag=True, help="Every source to every destination, not one of each that are alike.")
@click.option(
    "--random", "count", type=click.IntRange(min=1), metavar="N", help="N flows through worlds drawn at random."
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="S", help="Draws the worlds of --random.")
@click.option("--family", type=click.Choice(FAMILIES), help="The IP versions of --random's worlds.  [default: ipv4]")
@click.option("--legacy", is_flag=True, help="Load the rules with iptables-legacy instead of iptables-nft.")
@guest_options
@click.option("-4", "version", flag_value=4, type=int, help="Take DST's IPv4 address.")
@click.option("-6", "version", flag_value=6, type=int, help="Take DST's IPv6 address.")
@click.option("-p", "--port", type=PORT, metavar="PORT", help="Destination port, where DST does not name it.")
@click.option(
    "--proto", "protocol", type=click.Choice(["tcp", "udp", "icmp"]), help="Default: that of the port, else tcp."
)
@click.option("--sport", type=PORT, metavar="PORT", help="Source port (icmp: the echo identifier).  [default: 40000]")
@click.option("--flags", metavar="LIST", help="TCP flags of the first segment, such as ack,fin.  [default: syn]")
@click.option("--size", type=click.IntRange(0, 65495), default=0, help="Payload of the first packet in bytes.")
@click.option("--df", "dont_fragment", is_flag=True, help="Set Don't Fragment (TCP sets it by itself).")
@click.option("--ttl", type=click.IntRange(1, 255), default=64, help="Time to live of the first packet.  [default: 64]")
@click.option("--mark", type=mark_value, default="0", metavar="NUMBER", help="The socket's mark (SO_MARK).")
def command(
    source: str | None,
    destination: str | None,
    sources: tuple[str, ...],
    mode: str | None,
    all_flows: bool,  # noqa: FBT001  # click calls by name
    count: int | None,
    seed: int,
    family: str | None,
    legacy: bool,  # noqa: FBT001
    guest: bool,  # noqa: FBT001
    guest_kernel: str | None,
    version: int | None,
    port: int | None,
    protocol: str | None,
    sport: int | None,
    flags: str | None,
    size: int,
    dont_fragment: bool,  # noqa: FBT001
    ttl: int,
    mark: int,
) -> int:
    """Does the model hold on this machine's kernel? Builds the topology, sends the packets, compares step by step.

    SRC and DST are those of `netsim trace`; without them one flow of each kind that the topology has is verified.
    """
    from netsim.scenario.question import PacketOptions
    from netsim.verify.run import Effort

    options = PacketOptions(port, protocol, sport, flags, size, dont_fragment, ttl, mark, version)
    plain = options == PacketOptions()
    _check_together(source, destination, sources, count, mode, family, all_flows=all_flows, plain=plain)
    with _interruptible():
        if guest or _named_kernel(guest_kernel):
            return _in_guest(guest_kernel)
        legacy = legacy or _must_be_legacy()
        if count is not None:
            return _random(count, seed, mode or DRAWN_MODES[0], family or FAMILIES[0], legacy=legacy)
        world = open_world(sources, mode)
        _check_machine(world.topology, legacy=legacy)
        cases = (
            _named(world, source, destination, options)
            if source and destination
            else _every(world, all_flows=all_flows)
        )
        effort = Effort(samples=SAMPLES if source else 0)
        return _report(_verified(world.topology, cases, effort, legacy=legacy), single=source is not None)


# --- what is asked ---------------------------------------------------------------------------------------------------


def _check_together(
    source: str | None,
    destination: str | None,
    sources: tuple[str, ...],
    count: int | None,
    mode: str | None,
    family: str | None,
    *,
    all_flows: bool,
    plain: bool,
) -> None:
    if count is None and family is not None:
        raise InputError("--family is for worlds that are drawn", "name the address, or give -4 or -6; or --random N")
    if source and not destination:
        raise InputError("verify needs both SRC and DST, or neither", "netsim verify SRC DST")
    if count is not None and (source or sources or all_flows):
        raise InputError("--random draws its own worlds", "leave out SRC, DST, --topology and --all-flows")
    if count is not None and mode not in (None, *DRAWN_MODES):
        raise InputError(f"no worlds are drawn in mode {mode}", f"--mode {' or '.join(DRAWN_MODES)}")
    if source and all_flows:
        raise InputError("--all-flows verifies every flow, and SRC and DST name one", "leave one of them out")
    if not source and not plain:
        raise InputError("the packet's options are for one flow", "name SRC and DST too")


def _named(world: World, source: str, destination: str, options: PacketOptions) -> list[Case]:
    from netsim.scenario.names import UnknownNameError
    from netsim.scenario.question import question_of
    from netsim.verify.run import Case

    try:
        question = question_of(world, source, destination, options)
    except UnknownNameError as error:
        raise InputError(error.message, error.advice) from error
    return [Case(question.flow, question.source.label, question.destination.label)]


def _every(world: World, *, all_flows: bool) -> list[Case]:
    from netsim.scenario.every_flow import every_flow
    from netsim.verify.run import Case

    flows = (flow for version in (4, 6) for flow in every_flow(world, version=version, one_of_each=not all_flows))
    return [Case(named.flow, named.source, named.target) for named in flows]


# --- the guest ---------------------------------------------------------------------------------------------------------


def _named_kernel(given: str | None) -> bool:
    """True where the command line itself names a guest's kernel; the environment's alone does not ask for a guest."""
    source = click.get_current_context().get_parameter_source("guest_kernel")
    return given is not None and source is click.core.ParameterSource.COMMANDLINE


def _in_guest(kernel: str | None) -> int:
    from netsim.verify.guest.machine import GuestError, find_kernel, missing_for_guest

    _refuse(missing_for_guest(kernel), "no guest can run here")
    found = find_kernel(kernel)
    assert found is not None
    try:
        return run_again_in_guest(click.get_current_context(), found)
    except GuestError as error:
        raise UnableError(str(error), "give it a kernel that boots here: --guest-kernel FILE") from error


def _must_be_legacy() -> bool:
    """True where this kernel takes iptables' rules from iptables-legacy alone, which is then told."""
    from netsim.verify.nft_support import kernel_has_nftables

    if kernel_has_nftables():
        return False
    click.echo("note: this kernel has no nftables for IP: rules are loaded and traced with iptables-legacy", err=True)
    return True


# --- the machine -----------------------------------------------------------------------------------------------------


def _check_machine(topology: Topology | None, *, legacy: bool) -> None:
    from netsim.verify.requirements import missing

    _refuse(missing(topology, legacy=legacy), "this machine cannot verify")


def _missing_for(mode: str) -> Iterable[Missing]:
    """What kube-proxy's mode asks of the kernel."""
    from netsim.verify.requirements import missing_ipvs, missing_nftables

    return {"ipvs": missing_ipvs, "nftables": missing_nftables}.get(mode, lambda: iter(()))()


def _refuse(missing: Iterable[Missing], why: str) -> None:
    found = list(missing)
    if found:
        what = "; ".join(each.what for each in found)
        raise UnableError(f"{why}: {what}", " && ".join(dict.fromkeys(each.command for each in found)))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the command as SIGINT does: namespaces are taken down on the way out."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _verified(topology: Topology, cases: Sequence[Case], effort: Effort, *, legacy: bool) -> list[Outcome]:
    from netsim.verify.run import BuildDisagreementError, verify

    try:
        outcomes = verify(topology, cases, legacy=legacy, effort=effort)
        if not sys.stderr.isatty():
            return list(outcomes)
        with click.progressbar(outcomes, length=len(cases), label="verifying", file=sys.stderr) as bar:
            return list(bar)
    except BuildDisagreementError as error:
        click.echo(f"DISAGREES: {error}")
        raise click.exceptions.Exit(Exit.DISAGREEMENT) from error
    except (RuntimeError, OSError) as error:
        from netsim.verify.guest.machine import IN_GUEST

        advice = "netsim verify --guest verifies it on a kernel of its own" if IN_GUEST not in os.environ else ""
        raise UnableError(f"the topology cannot be built here: {error}", advice) from error


# --- the answer ------------------------------------------------------------------------------------------------------


def _report(outcomes: Sequence[Outcome], *, single: bool) -> Exit:
    from netsim.verify.run import Answer

    for outcome in outcomes:
        if outcome.answer is Answer.DIFFERS:
            click.echo(
                f"DISAGREES: {outcome.case}, {outcome.trace.verdict.value}: model -, kernel +\n{outcome.difference}\n"
            )
        elif outcome.answer is Answer.NOT_MODELLED:
            click.echo(f"not compared: {outcome.case}: {outcome.trace.decisive.sentence}")
        elif single:
            seen = f", {outcome.seen} of {outcome.branches} branches seen" if outcome.branches > 1 else ""
            click.echo(f"agrees: {outcome.case}, {outcome.trace.verdict.value}{seen}")
    agreed = sum(outcome.answer is Answer.AGREES for outcome in outcomes)
    differing = sum(outcome.answer is Answer.DIFFERS for outcome in outcomes)
    compared = agreed + differing
    click.echo(
        f"{agreed} of {compared} flows agree with Linux {platform.release()}" + _left_out(len(outcomes) - compared)
    )
    for why in dict.fromkeys(outcome.without_reasons for outcome in outcomes if outcome.without_reasons):
        click.echo(f"note: why this kernel drops a packet was not compared with the model's reason: {why}")
    if differing:
        return Exit.DISAGREEMENT
    return Exit.OK if compared else Exit.UNKNOWN


def _left_out(number: int) -> str:
    return f"; {number} not compared, as the model does not have what they meet" if number else ""


def _random(count: int, seed: int, mode: str, family: str, *, legacy: bool) -> Exit:
    _check_machine(None, legacy=legacy)
    _refuse(_missing_for(mode), "this machine cannot verify")
    try:
        from netsim.scenario.random_check import check
        from netsim.scenario.random_ground import Families
    except ModuleNotFoundError as error:
        raise UnableError(
            f"worlds are drawn with {error.name}, which is not installed", "pip install 'netsim[test]'"
        ) from error
    with contextlib.ExitStack() as stack:
        advance = None
        if sys.stderr.isatty():
            bar = stack.enter_context(click.progressbar(length=count, label="verifying", file=sys.stderr))
            advance = bar.update
        found = check(count, seed, legacy=legacy, mode=mode, families=Families(family), advance=advance)
    if found.smallest is not None:
        click.echo(found.smallest)
        return Exit.DISAGREEMENT
    for why in dict.fromkeys(found.refused):
        click.echo(f"left out, {found.refused.count(why)} of the drawn worlds: {why}")
    return _report(found.outcomes, single=False)
