"""A failed branch in its world, as those who propose changes look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from netsim.net.address import Address
from netsim.net.packet import Packet, Protocol
from netsim.objects.core import Pod, Service, ServicePortSpec
from netsim.objects.meta import Key
from netsim.scenario.mends.changes import Change
from netsim.scenario.world import World
from netsim.stack.steps import Receive
from netsim.topology.model import Role
from netsim.trace.model import Branch, Flow
from netsim.trace.reasons import REPLY_PREFIX
from netsim.trace.verdict import Finding, judge


@dataclass(frozen=True)
class Failure:
    """What failed, and where."""

    world: World
    flow: Flow
    branch: Branch

    @cached_property
    def finding(self) -> Finding:
        """The leg that decides, and how it ended."""
        expected = self.world.expected(self.flow.destination, self.flow.dport or None)
        return judge(self.flow, self.branch.legs, one_way=False, expected=expected)

    @property
    def code(self) -> str:
        """The reason, whichever way the packet went."""
        return self.branch.reason.removeprefix(REPLY_PREFIX) if self.on_reply else self.branch.reason

    @property
    def on_reply(self) -> bool:
        """True where the way back failed by a reason that the way there has too."""
        return self.finding.leg.reply and self.branch.reason not in _OF_REPLIES_ALONE

    @property
    def packet(self) -> Packet:
        """The packet as it stood at its end."""
        return self.finding.ending.packet

    @property
    def machine(self) -> str | None:
        """``node/NAME`` or ``external/NAME`` of the namespace where it ended, None where a user configures nothing."""
        netns = self.world.topology.namespaces[self.finding.ending.hop.netns]
        return netns.label if netns.role in (Role.NODE, Role.EXTERNAL) else None

    @property
    def machines(self) -> list[str]:
        """The nodes and external hosts that the packet came to, the last one first."""
        namespaces = (self.world.topology.namespaces[hop.netns] for hop in reversed(self.finding.leg.hops))
        return list(dict.fromkeys(n.label for n in namespaces if n.role in (Role.NODE, Role.EXTERNAL)))

    @property
    def received_on(self) -> str | None:
        """The device that the packet last came in by, in the namespace where it ended."""
        steps = reversed(self.finding.ending.hop.steps)
        return next((step.device for step in steps if isinstance(step, Receive)), None)

    @cached_property
    def service(self) -> Service | None:
        """The Service that was asked."""
        key = self.world.service_of(self.flow.destination, self.flow.dport or None)
        return None if key is None else Service.of(self.world.objects[key])

    @property
    def service_key(self) -> Key:
        """Its key; only where there is one."""
        assert self.service is not None
        return Key("Service", self.service.metadata.namespace, self.service.metadata.name)

    @property
    def service_port(self) -> tuple[int, ServicePortSpec] | None:
        """The port of the Service that was asked, with its position."""
        ports = self.service.spec.ports if self.service else ()
        asked, protocol = self.flow.dport, self.flow.protocol.name
        found = ((n, p) for n, p in enumerate(ports) if asked in (p.port, p.node_port) and p.protocol == protocol)
        return next(found, None)

    def neighbours_in_namespace(self) -> Iterator[Pod]:
        """The pods of the Service's namespace."""
        namespace = self.service_key.namespace
        return (pod for pod in self.world.pods() if pod.metadata.namespace == namespace)

    def listened_at(self, address: Address) -> list[int]:
        """The ports that somebody listens on at an address, of the flow's protocol."""
        owner = self.world.owner_of(address)
        listeners = self.world.topology.namespaces[owner].listeners if owner else ()
        return [listener.port for listener in listeners if listener.protocol is self.flow.protocol]

    @property
    def nodes(self) -> list[str]:
        """Every node, as a machine."""
        return [f"node/{node.name}" for node in self.world.cluster.nodes]

    @property
    def icmp(self) -> bool:
        """True for a ping."""
        return self.flow.protocol in (Protocol.ICMP, Protocol.ICMPV6)


Proposer = Callable[[Failure], Iterable[Change]]
"""What may mend a failure, the best first."""

_OF_REPLIES_ALONE = frozenset(
    {
        "REPLY_FROM_OTHER_PEER",
        "REPLY_NOT_TRANSLATED_BACK",
        "REPLY_TO_OTHER_HOST",
        "REPLY_UNEXPECTED",
        "REPLY_LEFT_MODEL",
    }
)
