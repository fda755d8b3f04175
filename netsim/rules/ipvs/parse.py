"""The text of ``ipvsadm -Sn`` and ``ipvsadm -R`` → typed virtual servers. Ref: ipvsadm(8) 1.31, ipvsadm.c:parse_options()."""

from __future__ import annotations

from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, parse_address
from netsim.rules.ipvs.ast import (
    SCHEDULERS,
    FirewallMarkService,
    Forwarding,
    RealServer,
    ServiceKey,
    TransportService,
    VirtualServer,
    VirtualServers,
)
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables.values import contiguous, read_address, read_integer, read_port
from netsim.rules.xtables.words import split_with_columns

_DEFAULT_PERSISTENCE_S = 300
_MOST_WEIGHT = (1 << 31) - 1
_OPTIONS: dict[str, tuple[str, bool]] = {
    # as written: (its one name, whether a value follows)
    "-A": ("A", False),
    "--add-service": ("A", False),
    "-E": ("E", False),
    "--edit-service": ("E", False),
    "-D": ("D", False),
    "--delete-service": ("D", False),
    "-C": ("C", False),
    "--clear": ("C", False),
    "-a": ("a", False),
    "--add-server": ("a", False),
    "-e": ("e", False),
    "--edit-server": ("e", False),
    "-d": ("d", False),
    "--delete-server": ("d", False),
    "-t": ("tcp", True),
    "--tcp-service": ("tcp", True),
    "-u": ("udp", True),
    "--udp-service": ("udp", True),
    "--sctp-service": ("sctp", True),
    "-f": ("mark", True),
    "--fwmark-service": ("mark", True),
    "-s": ("scheduler", True),
    "--scheduler": ("scheduler", True),
    "-p": ("persistent", True),
    "--persistent": ("persistent", True),
    "-M": ("netmask", True),
    "--netmask": ("netmask", True),
    "-b": ("flags", True),
    "--sched-flags": ("flags", True),
    "--pe": ("engine", True),
    "-o": ("ops", False),
    "-O": ("ops", False),
    "--ops": ("ops", False),
    "-6": ("ipv6", False),
    "--ipv6": ("ipv6", False),
    "-r": ("server", True),
    "--real-server": ("server", True),
    "-g": ("g", False),
    "--gatewaying": ("g", False),
    "-i": ("i", False),
    "--ipip": ("i", False),
    "-m": ("m", False),
    "--masquerading": ("m", False),
    "-w": ("weight", True),
    "--weight": ("weight", True),
    "-x": ("upper", True),
    "--u-threshold": ("upper", True),
    "-y": ("lower", True),
    "--l-threshold": ("lower", True),
    "--tun-type": ("tun-type", True),
    "--tun-port": ("tun-port", True),
    "--tun-nocsum": ("tun-nocsum", False),
    "--tun-csum": ("tun-csum", False),
    "--tun-remcsum": ("tun-remcsum", False),
}
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_SERVICE_OPTIONS = frozenset(("scheduler", "persistent", "netmask", "flags", "engine", "ops", "ipv6"))
_TUNNEL_OPTIONS = ("tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum")
_SERVER_OPTIONS = frozenset(("server", "g", "i", "m", "weight", "upper", "lower", "ipv6", *_TUNNEL_OPTIONS))
_TAKES: dict[str, frozenset[str]] = {
    # command: options besides the service itself
    "A": _SERVICE_OPTIONS,
    "E": _SERVICE_OPTIONS,
    "D": frozenset(("ipv6",)),
    "C": frozenset(),
    "a": _SERVER_OPTIONS,
    "e": _SERVER_OPTIONS,
    "d": frozenset(("server", "ipv6")),
}
_FLAGS = {"flag-1": 1, "flag-2": 2, "flag-3": 3, "sh-fallback": 1, "sh-port": 2, "mh-fallback": 1, "mh-port": 2}
_ENGINES = ("sip",)


class _LineRefusedError(ValueError):
    """A line that ipvsadm or the kernel refuses, at a column."""

    def __init__(self, message: str, column: int = 1, advice: str = "") -> None:
        super().__init__(message)
        self.column = column
        self.advice = advice


@dataclass(slots=True)
class _Line:
    """A line's command and options, each with its value and column."""

    command: str
    options: dict[str, tuple[str, int]]
    origin: Origin

    def number(self, option: str, most: int, default: int) -> int:
        """An option's number, the default where it is absent."""
        if option not in self.options:
            return default
        value, column = self.options[option]
        try:
            return read_integer(value, most)
        except ValueError as problem:
            raise _LineRefusedError(f"illegal {option}: {problem}", column) from None


def parse(text: str, file: str, *, base: VirtualServers | None = None) -> VirtualServers:
    """The virtual servers after ``ipvsadm -R`` of the text on a namespace that has ``base``.

    Raises RuleSyntaxErrors with everything that ipvsadm or the kernel would refuse. Host names are not resolved.
    """
    servers = {} if base is None else dict(base.servers)
    errors: list[RuleSyntaxError] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        origin = Origin(file, number, 1, line)
        try:
            _apply(_read_line(line, origin), servers)
        except _LineRefusedError as refused:
            errors.append(RuleSyntaxError(str(refused), replace(origin, column=refused.column), refused.advice))
        except ValueError as problem:
            errors.append(RuleSyntaxError(str(problem), origin))
    if errors:
        raise RuleSyntaxErrors(errors)
    return VirtualServers(servers)


def _read_line(line: str, origin: Origin) -> _Line:
    words = split_with_columns(line)
    if words[0].text == "ipvsadm":
        words = words[1:]
    command = ""
    options: dict[str, tuple[str, int]] = {}
    at = 0
    while at < len(words):
        word, column = words[at]
        if word not in _OPTIONS:
            raise _LineRefusedError(f"unexpected argument {word}", column, "see ipvsadm(8)")
        name, takes_value = _OPTIONS[word]
        at += 1
        if name in _TAKES:
            if command:
                raise _LineRefusedError("multiple commands specified", column)
            command = name
            continue
        value = ""
        if takes_value:
            following = words[at].text if at < len(words) else ""
            if name == "persistent" and (not following or following.startswith("-")):
                value = str(_DEFAULT_PERSISTENCE_S)
            elif not following:
                raise _LineRefusedError(f"option {word} requires a value", column)
            else:
                value, column, at = following, words[at].column, at + 1
        if name in options:
            raise _LineRefusedError(f"multiple {word} specified", column)
        options[name] = (value, column)
    if not command:
        raise _LineRefusedError(
            "no command specified", words[0].column if words else 1, "-A adds a service, -a a real server"
        )
    return _Line(command, options, origin)


def _apply(line: _Line, servers: dict[ServiceKey, VirtualServer]) -> None:
    for option, (_, column) in line.options.items():
        if option not in _TAKES[line.command] and option not in _PROTOCOLS and option != "mark":
            raise _LineRefusedError(f"Illegal option {option} with command -{line.command}", column)
    if line.command == "C":
        servers.clear()
        return
    key = _service_key(line)
    there = servers.get(key)
    if line.command == "A":
        if there is not None:
            raise _LineRefusedError("Service already exists", advice="-E changes it")
        servers[key] = _service(line, key)
        return
    if there is None:
        raise _LineRefusedError(
            "Service not defined" if line.command in "aed" else "No such service", advice="-A adds it"
        )
    match line.command:
        case "E":
            servers[key] = replace(_service(line, key), real_servers=there.real_servers)
        case "D":
            del servers[key]
        case _:
            servers[key] = replace(there, real_servers=_changed(line, there))


def _changed(line: _Line, service: VirtualServer) -> tuple[RealServer, ...]:
    """The real servers after a command on one of them."""
    server = _real_server(line, service)
    same = [each for each in service.real_servers if (each.address, each.port) == (server.address, server.port)]
    if line.command == "a":
        if same:
            raise _LineRefusedError("Destination already exists", line.options["server"][1], "-e changes it")
        return (*service.real_servers, server)
    if not same:
        raise _LineRefusedError("No such destination", line.options["server"][1], "-a adds it")
    kept = [server if each is same[0] else each for each in service.real_servers]
    return tuple(kept) if line.command == "e" else tuple(each for each in service.real_servers if each is not same[0])


def _service_key(line: _Line) -> ServiceKey:
    named = [option for option in (*_PROTOCOLS, "mark") if option in line.options]
    if len(named) != 1:
        raise _LineRefusedError("exactly one of -t, -u, --sctp-service and -f must be specified")
    value, column = line.options[named[0]]
    if named[0] == "mark":
        mark = line.number("mark", 0xFFFFFFFF, 0)
        if mark == 0:
            raise _LineRefusedError(f"invalid fwmark value `{value}' specified", column)
        return FirewallMarkService(mark, Family.IPV6 if "ipv6" in line.options else Family.IPV4)
    address, port = _endpoint(value, column)
    return TransportService(_PROTOCOLS[named[0]], address, port or 0)


def _endpoint(text: str, column: int) -> tuple[Address, int | None]:
    """``10.0.0.1:80``, ``[fd00::1]:80`` or an address alone."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return parse_address(host), read_port(port) if port else None
    except ValueError:
        raise _LineRefusedError(f"illegal address or port: {text}", column, "10.0.0.1:80 or [fd00::1]:80") from None


def _service(line: _Line, key: ServiceKey) -> VirtualServer:
    scheduler, column = line.options.get("scheduler", ("wlc", 1))
    if scheduler not in SCHEDULERS:
        raise _LineRefusedError(
            f"Scheduler or persistence engine not found: {scheduler}", column, ", ".join(SCHEDULERS)
        )
    engine, column = line.options.get("engine", ("", 1))
    if engine and engine not in _ENGINES:
        raise _LineRefusedError(f"Scheduler or persistence engine not found: {engine}", column, ", ".join(_ENGINES))
    persistent = line.number("persistent", _MOST_WEIGHT, 0) if "persistent" in line.options else None
    if persistent == 0:
        raise _LineRefusedError("illegal timeout for persistent service: 0", line.options["persistent"][1])
    if isinstance(key, TransportService) and key.port == 0 and persistent is None:
        raise _LineRefusedError("Zero port specified for non-persistent service", advice="name a port, or add -p")
    one_packet = "ops" in line.options
    if one_packet and isinstance(key, TransportService) and key.protocol != _PROTOCOLS["udp"]:
        raise _LineRefusedError("One-Packet Scheduling is only for UDP virtual services", line.options["ops"][1])
    return VirtualServer(
        key,
        scheduler=scheduler,
        persistent=persistent,
        netmask=_netmask(line, key),
        flags=_scheduler_flags(line),
        one_packet=one_packet,
        persistence_engine=engine,
        origin=line.origin,
    )


def _netmask(line: _Line, key: ServiceKey) -> int | None:
    """The prefix length of ``-M``, None for whole addresses."""
    if "netmask" not in line.options:
        return None
    value, column = line.options["netmask"]
    ipv4 = key.family is Family.IPV4 if isinstance(key, FirewallMarkService) else key.address.version == 4
    try:
        if ipv4:
            length = contiguous(read_address(value, Family.IPV4), Family.IPV4)
            return None if length == Family.IPV4.bits else length
        length = read_integer(value, Family.IPV6.bits, 1)
    except ValueError:
        raise _LineRefusedError(f"invalid netmask {value}", column) from None
    return None if length == Family.IPV6.bits else length


def _scheduler_flags(line: _Line) -> frozenset[int]:
    value, column = line.options.get("flags", ("", 1))
    names = [name for name in value.split(",") if name]
    for name in names:
        if name not in _FLAGS:
            raise _LineRefusedError(f"unknown scheduler flag {name}", column, ", ".join(_FLAGS))
    return frozenset(_FLAGS[name] for name in names)


def _real_server(line: _Line, service: VirtualServer) -> RealServer:
    if "server" not in line.options:
        raise _LineRefusedError("No real server specified", advice="-r ADDRESS:PORT")
    value, column = line.options["server"]
    address, port = _endpoint(value, column)
    key = service.key
    service_port = key.port if isinstance(key, TransportService) else 0
    methods = [method for method in Forwarding if method.value in line.options]
    if len(methods) > 1:
        raise _LineRefusedError("multiple forwarding methods specified")
    forwarding = methods[0] if methods else Forwarding.DIRECT_ROUTE
    if forwarding is not Forwarding.MASQUERADE and port is not None and port != service_port and service_port:
        raise _LineRefusedError(
            "the port of a real server differs from the service's", column, "only -m can change the port"
        )
    tunnel = [
        word
        for name in _TUNNEL_OPTIONS
        if name in line.options
        for word in (f"--{name}", line.options[name][0])
        if word
    ]
    return RealServer(
        address,
        service_port if port is None else port,
        forwarding=forwarding,
        weight=line.number("weight", _MOST_WEIGHT, 1),
        upper=line.number("upper", 0xFFFF, 0),
        lower=line.number("lower", 0xFFFF, 0),
        tunnel=tuple(tunnel),
        origin=line.origin,
    )
