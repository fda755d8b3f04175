"""What every answer about a world rests on: what its objects ask for and the model leaves out, said once for each kind of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netsim.cluster.events import Event
from netsim.objects.meta import Key, Object

_NAMED = 3


def assumptions_of(objects: Iterable[Object], events: Iterable[Event]) -> tuple[str, ...]:
    """Sentences without a full stop, in a fixed order; none where everything that was loaded is modelled."""
    known = sorted(objects, key=lambda item: item.key)
    return (*_policies(known), *_left_out(events))


def _policies(objects: Sequence[Object]) -> Iterator[str]:
    names = [item.key for item in objects if item.kind == "NetworkPolicy"]
    if names:
        yield f"NetworkPolicy {_listed(names)} is not enforced: flannel, the modelled CNI, enforces none"


def _left_out(events: Iterable[Event]) -> Iterator[str]:
    """What the control plane's parts say that they do not model: an event for each object, one sentence for each message."""
    asking: dict[tuple[str, str], list[Key]] = {}
    for event in events:
        if event.reason == "NotModelled":
            asking.setdefault((event.object.kind, event.message), []).append(event.object)
    for (kind, message), keys in sorted(asking.items()):
        yield f"{kind} {_listed(sorted(keys))}: {message}"


def _listed(keys: Sequence[Key]) -> str:
    names = ", ".join(f"{key.namespace}/{key.name}" for key in keys[:_NAMED])
    return f"{names} and {len(keys) - _NAMED} more" if len(keys) > _NAMED else names
