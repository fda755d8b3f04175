"""An IPVS step as text and as JSON values."""

from __future__ import annotations

from netsim.net.packet import endpoint
from netsim.objects.json import Json
from netsim.render.packet_document import packet_document
from netsim.rules.ipvs.ast import Forwarding, RealServer, VirtualServer
from netsim.rules.ipvs.dump import server_lines, server_words, service_words
from netsim.stack.steps import IPVSStep

FORWARDING = {
    Forwarding.MASQUERADE: "masquerading",
    Forwarding.DIRECT_ROUTE: "direct routing",
    Forwarding.TUNNEL: "tunnel",
}


def ipvs_words(step: IPVSStep) -> str:
    """``INPUT: -t 10.96.0.10:80 rr gives 10.244.1.7:8080, chance 1/3``."""
    service = " ".join(service_words(step.server.key)) if step.server is not None else "a virtual server that is gone"
    real = endpoint(step.real.address, step.real.port) if step.real is not None else "its real server"
    hook = step.hook.value
    match step.action:
        case "schedule":
            scheduler = step.server.scheduler if step.server is not None else ""
            chance = f", chance {step.choice.probability}" if step.choice is not None else ""
            return f"{hook}: {service}, scheduler {scheduler}, takes {real}{chance}"
        case "forward":
            return f"{hook}: a known connection of {service} with {real}"
        case "reply":
            return f"{hook}: an answer of {real} for {service}"
        case "refuse":
            return f"{hook}: {service} has nobody for it"
        case "expire":
            return f"{hook}: the connection of {service} with {real} ends here"
        case "miss":
            return f"{hook}: {service} does not see the packet"
        case _:
            return f"{hook}: the connection of {service} with {real} gets nothing through"


def ipvs_document(step: IPVSStep) -> dict[str, Json]:
    """One IPVS step, without its choice."""
    return {
        "type": "ipvs",
        "hook": step.hook.value,
        "action": step.action,
        "virtualServer": None if step.server is None else _server(step.server),
        "realServer": None if step.real is None else _real(step.real),
        "connection": step.connection,
        "before": packet_document(step.before),
        "after": packet_document(step.after),
        "detail": step.detail,
    }


def _server(server: VirtualServer) -> dict[str, Json]:
    origin = server.origin
    return {
        "text": server_lines(server)[0],
        "scheduler": server.scheduler,
        "realServers": len(server.real_servers),
        "origin": None if origin is None else {"file": origin.file, "line": origin.line, "column": origin.column},
    }


def _real(real: RealServer) -> dict[str, Json]:
    return {
        "text": " ".join(server_words(real)),
        "address": str(real.address),
        "port": real.port,
        "weight": real.weight,
        "forwarding": FORWARDING[real.forwarding],
    }
