"""From the words of a command line to a flow in a world, and its answer."""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_address
from netsim.net.packet import Protocol, TCPFlags
from netsim.scenario.advice import advised
from netsim.scenario.names import Destination, Source, UnknownNameError, find_destination, find_source
from netsim.scenario.world import World
from netsim.stack.connect import connected_to
from netsim.trace.model import Flow, Trace
from netsim.trace.selection import ALL, Selection
from netsim.trace.trace import trace

PROTOCOLS = {"tcp": Protocol.TCP, "udp": Protocol.UDP, "sctp": Protocol.SCTP, "icmp": Protocol.ICMP}
CLIENT_PORT = 40000
"""The client's port where none is asked for: in the kernel's default ``ip_local_port_range``, and nobody's NodePort."""


@dataclass(frozen=True, slots=True)
class PacketOptions:
    """What the first packet is made of; None leaves it to the destination's name or to the kernel.

    ``size`` is the payload in bytes, ``flags`` TCP flags by name (``syn,ack``). The offsets are in bytes, from where
    the peer expects a data segment of the asker, and the asker one of the peer.
    """

    port: int | None = None
    protocol: str | None = None
    sport: int | None = None
    flags: str | None = None
    size: int = 0
    dont_fragment: bool = False
    ttl: int = 64
    mark: int = 0
    version: int | None = None
    seq_offset: int | None = None
    answer_seq_offset: int | None = None
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks whom, by what flow."""

    source: Source
    destination: Destination
    flow: Flow


def question_of(world: World, source: str, destination: str, options: PacketOptions) -> Question:
    """What a command line asks. Raises UnknownNameError for names, ports and options that mean nothing together."""
    sender = find_source(world, source)
    target = find_destination(world, destination, options.version, options.port, sender.namespace)
    protocol = _protocol(target, options)
    port = _port(target, options, protocol)
    _check_family(world, sender, target.address)
    flow = Flow(
        netns=sender.netns,
        destination=connected_to(target.address, sender.address),
        protocol=protocol,
        dport=port,
        sport=options.sport or CLIENT_PORT,
        source=sender.address,
        flags=_flags(options.flags, protocol),
        payload=options.size,
        ttl=options.ttl,
        dont_fragment=options.dont_fragment or protocol is Protocol.TCP,
        mark=options.mark,
        owner=sender.owner,
        seq_offset=options.seq_offset,
        answer_seq_offset=options.answer_seq_offset,
        at_once=options.at_once,
    )
    _check_offsets(flow)
    return Question(sender, target, flow)


def answer(
    world: World, question: Question, selection: Selection = ALL, *, one_way: bool = False, seed: int = 0
) -> Trace:
    """Where the flow goes, on every branch that is selected. Raises SelectionError."""
    flow = question.flow
    found = trace(
        world.topology,
        flow,
        source=question.source.label,
        target=_target_label(question.destination, flow),
        selection=selection,
        one_way=one_way,
        expected=world.expected(flow.destination, flow.dport or None),
        seed=seed,
        assumptions=(*world.assumptions, *_connected(question)),
    )
    return advised(world, found)


def _connected(question: Question) -> tuple[str, ...]:
    named, meant = question.destination.address, question.flow.destination
    connects = f"{named} is no host's: a socket that connects to it connects to {meant}" if named != meant else ""
    return tuple(filter(None, (question.destination.assumed, connects)))


def backend_of(text: str) -> tuple[Address, int]:
    """``10.244.1.7:8080`` or ``[fd00::7]:8080``. Raises UnknownNameError."""
    host, colon, port = text.rpartition(":")
    try:
        number = int(port)
        address = parse_address(host.strip("[]"))
    except ValueError:
        number, address = 0, None
    if not colon or address is None or not 1 <= number <= 65535:
        raise UnknownNameError(f"{text} is not ADDRESS:PORT", "such as 10.244.1.7:8080 or [fd00::7]:8080")
    return address, number


def _protocol(target: Destination, options: PacketOptions) -> Protocol:
    name = (options.protocol or target.protocol or "tcp").lower()
    if name == "icmp" and target.address.version == 6:
        return Protocol.ICMPV6
    return PROTOCOLS[name]


def _port(target: Destination, options: PacketOptions, protocol: Protocol) -> int:
    if protocol in (Protocol.ICMP, Protocol.ICMPV6):
        if target.explicit or options.port is not None:
            raise UnknownNameError("icmp has no ports", "leave out :PORT and --port")
        return 0
    if options.port is not None and target.port != options.port:
        raise UnknownNameError(
            f"{target.label} names port {target.port}, and --port says {options.port}", "name the port once"
        )
    if target.port is None:
        listed = f", and it has {', '.join(target.choices)}" if target.choices else ""
        raise UnknownNameError(
            f"{target.label}: no port is named{listed}", "add :PORT or --port PORT (or --proto icmp for a ping)"
        )
    return target.port


def _flags(text: str | None, protocol: Protocol) -> TCPFlags:
    if text is None:
        return TCPFlags.SYN
    if protocol is not Protocol.TCP:
        raise UnknownNameError(f"--flags is for tcp, and this flow is {protocol.name.lower()}")
    flags = TCPFlags(0)
    for name in text.upper().replace("+", ",").split(","):
        if name not in TCPFlags.__members__:
            raise UnknownNameError(f"{name!r} is not a TCP flag", f"the flags are {', '.join(TCPFlags.__members__)}")
        flags |= TCPFlags[name]
    return flags


def _check_offsets(flow: Flow) -> None:
    if flow.at_once and flow.protocol is not Protocol.UDP:
        raise UnknownNameError("--at-once is for udp: of other protocols a socket waits for the first answer")
    if flow.seq_offset is None and flow.answer_seq_offset is None:
        return
    if flow.protocol is not Protocol.TCP or flow.flags != TCPFlags.SYN:
        raise UnknownNameError(
            "--seq-offset and --answer-seq-offset are for a segment after TCP's handshake",
            "leave out --flags, and ask a TCP port",
        )


def _check_family(world: World, sender: Source, destination: Address) -> None:
    if destination.is_loopback or destination.is_unspecified:
        return
    netns = world.topology.namespaces[sender.netns]
    if not any(held.version == destination.version for d in netns.devices if d.name != "lo" for held in d.addresses):
        raise UnknownNameError(
            f"{sender.label} has no IPv{destination.version} address, and {destination} is one",
            "give the cluster CIDRs of both families (podCIDR, serviceCIDR), or ask for the other address with -4 or -6",
        )


def _target_label(destination: Destination, flow: Flow) -> str:
    return destination.label if not flow.dport or ":" in destination.label else f"{destination.label}:{flow.dport}"
