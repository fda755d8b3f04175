"""What ``netsim compare`` claims of a flow in each mode, held against this machine's kernel: its verdict and the source that is seen.

The claims are written down here; the comparison has to make them, and the kernel has to do what each mode's trace foretells, packet by
packet, branch by branch.
"""

from __future__ import annotations

from functools import partial

import pytest

from netsim.comparison.flow import InMode, side_by_side
from netsim.scenario.build import load_world
from netsim.scenario.question import PacketOptions, answer, question_of
from netsim.scenario.sources import find_sources
from netsim.scenario.world import World
from netsim.trace.model import Trace
from netsim.verify.run import Answer, Case, verify
from proxy.config.model import ProxyMode

pytestmark = pytest.mark.kernel

MODES = (ProxyMode.IPTABLES, ProxyMode.NFTABLES)
Claim = tuple[str, frozenset[str]]

ROWS = [
    # topology, who asks whom, what each mode is said to make of it: reason, and the sources that receivers see
    ("nodeport", "client", "node/node1:30080",
     ("DELIVERED", {"10.244.1.1", "192.168.0.11"}), ("DELIVERED", {"10.244.1.1", "192.168.0.11"})),
    ("nodeport-local", "client", "node/node1:30080", ("DELIVERED", {"192.168.0.100"}), ("DELIVERED", {"192.168.0.100"})),
    ("nodeport-local", "client", "node/node2:30080", ("NO_LOCAL_ENDPOINTS", set()), ("NO_LOCAL_ENDPOINTS", set())),
    ("hairpin", "web", "svc/web", ("DELIVERED", {"10.244.1.1"}), ("DELIVERED", {"10.244.1.1"})),
    ("nft-second-node-address", "client", "192.168.0.77:30080", ("DELIVERED", {"192.168.0.11"}), ("NODE_PORT_CLOSED", {"192.168.0.100"})),
    ("nft-unused-clusterip-port", "client", "10.96.0.10:81", ("LEFT_MODEL", set()), ("CLUSTER_IP_PORT_UNKNOWN", set())),
    ("localhost-nodeport", "node/node1", "127.0.0.1:30080", ("DELIVERED", {"10.244.1.1"}), ("NODE_PORT_CLOSED", {"127.0.0.1"})),
]  # fmt: skip


def _asked(source: str, target: str, world: World) -> Trace:
    return answer(world, question_of(world, source, target, PacketOptions()))


def _claim(found: InMode) -> Claim:
    return (found.trace.decisive.reason, frozenset(str(each.seen) for each in found.backends if each.seen is not None))


@pytest.mark.parametrize(
    ("topology", "source", "target", "iptables", "nftables"), ROWS, ids=[" ".join(row[:3]) for row in ROWS]
)
def test_the_kernel_bears_out_what_is_compared(
    topology: str, source: str, target: str, iptables: tuple[str, set[str]], nftables: tuple[str, set[str]]
) -> None:
    worlds = {mode: load_world(find_sources((topology,), {}), mode=mode)[0] for mode in MODES}
    found = side_by_side(worlds.__getitem__, partial(_asked, source, target), MODES)
    claims = [(reason, frozenset(seen)) for reason, seen in (iptables, nftables)]
    assert [_claim(each) for each in found.modes] == claims
    for each in found.modes:
        (outcome,) = verify(worlds[each.mode].topology, [Case(each.trace.flow, source, target)])
        assert outcome.answer is Answer.AGREES, f"{each.mode.value}: {outcome.difference}"
        assert outcome.seen == outcome.branches
