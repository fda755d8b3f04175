"""Packets one after the other that are too large for their way, in the model and on the real kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsim.topology.model import Topology
from tests.unit.stack_world import GROUND6, changed, two_nodes, with_device


@dataclass(frozen=True)
class Row:
    """UDP packets from a to ``dst``: what the socket hears of each."""

    id: str
    world: Topology
    dst: str
    payload: int
    heard: tuple[str, ...]
    df: bool = True


def told_by_a_router(world: Topology | None = None, mtu: int = 1400) -> Topology:
    """two_nodes(), whose way from n2 to pod c is narrow."""
    world = world or two_nodes()
    for at in ("n2/cni0", "n2/vethc", "c/eth0"):
        world = with_device(world, at, mtu=mtu)
    return world


def with_metrics(world: Topology, name: str, **metrics: object) -> Topology:
    routes = tuple(replace(route, **metrics) for route in world.namespaces[name].routes)  # type: ignore[arg-type]
    return changed(world, name, routes=routes)


FOUR, SIX = "10.244.1.2", "fd00:11::2"
OK4, OK6 = f"answer from {FOUR}", f"answer from {SIX}"
TOLD = (
    Row(
        "told, and refused at once",
        told_by_a_router(),
        FOUR,
        1400,
        ("error 3/4 mtu 1400 from 192.168.0.12", "EMSGSIZE"),
    ),
    Row(
        "IPv6 told, and refused at once",
        told_by_a_router(two_nodes(GROUND6)),
        SIX,
        1400,
        ("error 2/0 mtu 1400 from fd00::12", "EMSGSIZE"),
    ),
    Row(
        "IPv6 told, and cut by the sender",
        told_by_a_router(two_nodes(GROUND6)),
        SIX,
        1400,
        ("error 2/0 mtu 1400 from fd00::12", OK6),
        df=False,
    ),
)
LOCKED6 = with_metrics(two_nodes(GROUND6), "n1", mtu=1400, mtu_lock=True)
METRICS = (
    Row("a route's mtu at the sender", with_metrics(two_nodes(), "a", mtu=1400), FOUR, 1400, ("EMSGSIZE",)),
    Row("cut to a route's mtu", with_metrics(two_nodes(), "a", mtu=1400), FOUR, 1400, (OK4,), df=False),
    Row(
        "a route's mtu at a router",
        with_metrics(two_nodes(), "n1", mtu=1400),
        FOUR,
        1400,
        ("error 3/4 mtu 1400 from 10.244.0.1",),
    ),
    Row("IPv6 a route's mtu at the sender", with_metrics(two_nodes(GROUND6), "a", mtu=1400), SIX, 1400, ("EMSGSIZE",)),
    Row(
        "IPv6 a route's mtu at a router",
        with_metrics(two_nodes(GROUND6), "n1", mtu=1400),
        SIX,
        1400,
        ("error 2/0 mtu 1400 from fd00:10::1",),
    ),
    Row("IPv6 a locked mtu at a router", LOCKED6, SIX, 1400, ("error 2/0 mtu 1400 from fd00:10::1",)),
    Row(
        "a locked mtu is not corrected",
        with_metrics(told_by_a_router(mtu=1300), "a", mtu=1400, mtu_lock=True),
        FOUR,
        1340,
        ("error 3/4 mtu 1300 from 192.168.0.12",) * 2,
    ),
)
