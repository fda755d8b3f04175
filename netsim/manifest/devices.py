"""``devices``, ``fdb`` and ``neighbours`` of a machine in the Cluster document."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.manifest import networks
from netsim.manifest.fields import Section
from netsim.manifest.words import word
from netsim.net.address import MAC, InterfaceAddress
from netsim.objects.wiring import (
    DEVICE_KINDS,
    MACVLAN_MODES,
    NEIGHBOUR_STATES,
    StaticDevice,
    StaticFdb,
    StaticNeighbour,
)
from netsim.rules.source import Origin

PORT_FIELDS = ("master", "hairpin", "isolated", "learning")
LINK_FIELDS = ("addresses", "mtu", "mac", "up", "carrier", *PORT_FIELDS)
DEVICE_FIELDS = ("name", "pod", "kind", "parent", "id", "mode", "ageingTime", *LINK_FIELDS)
OF_KIND = {
    # what only devices of one kind have
    "parent": ("vlan", "macvlan"),
    "id": ("vlan",),
    "mode": ("macvlan",),
    "ageingTime": ("bridge",),
}
FDB_FIELDS = ("device", "mac", "dst")
NEIGHBOUR_FIELDS = ("device", "address", "mac", "state", "proxy")
WITHOUT_MAC = ("incomplete", "failed")
EXAMPLE = "such as {name: dummy0, kind: dummy, addresses: [10.1.0.1/32]}, or {name: eth0, up: false}"


def read_devices(section: Section) -> Iterator[StaticDevice]:
    """The devices that are right; what is wrong goes to the report."""
    for item, _ in section.sections("devices"):
        item.allow(*DEVICE_FIELDS)
        device = _device(item)
        if device is not None:
            yield device


def _device(item: Section) -> StaticDevice | None:
    name, pod = item.text("name"), item.text("pod")
    kind = word(item, "kind", DEVICE_KINDS, "") if item.has("kind") else ""
    if kind is None or not _named(item, kind):
        return None
    for field, kinds in OF_KIND.items():
        if item.has(field) and kind not in kinds:
            item.error(f"only a device of kind {' or '.join(kinds)} has {field}", "", field)
    for field in ("parent",) if kind in OF_KIND["parent"] else ():
        if not item.has(field):
            item.error(f"a {kind} device stands on another one: its parent", f"such as {field}: eth0")
    number = item.integer("id", 1, 4094)
    if kind == "vlan" and not item.has("id"):
        item.error("a vlan device has an id", "such as id: 100")
    parent, master = item.text("parent"), item.text("master")
    return StaticDevice(
        name=name.value if name else None,
        kind=kind or None,
        pod=pod.value if pod else None,
        parent=parent.value if parent else None,
        vlan=number,
        mode=word(item, "mode", MACVLAN_MODES, "bridge") or "bridge",
        addresses=tuple(_addresses(item)),
        mtu=item.integer("mtu", 68, 65535),
        mac=item.parsed(item.text("mac"), MAC.parse),
        up=item.boolean("up"),
        carrier=item.boolean("carrier"),
        master=master.value if master else None,
        hairpin=item.boolean("hairpin"),
        isolated=item.boolean("isolated"),
        learning=item.boolean("learning"),
        ageing_s=item.integer("ageingTime", 0, 1_000_000),
        origin=item.spot.origin,
        places=_places(item),
    )


def _named(item: Section, kind: str) -> bool:
    """Whether it is said which device is meant."""
    if item.has("name") == item.has("pod"):
        message = "the device has both a name and a pod" if item.has("name") else "the device has no name"
        item.error(message, EXAMPLE)
        return False
    if kind and item.has("pod"):
        item.error("a device towards a pod is there already; leave the kind out", "", "kind")
        return False
    return True


def _addresses(item: Section) -> Iterator[InterfaceAddress]:
    for text in item.texts("addresses"):
        found = item.parsed(text, networks.interface)
        if found is not None:
            yield found


def _places(item: Section) -> dict[str, Origin]:
    return {name: item.spot_of(name).origin for name in DEVICE_FIELDS if item.has(name)}


def read_fdb(section: Section) -> Iterator[StaticFdb]:
    """The forwarding entries that are right."""
    for item, _ in section.sections("fdb"):
        item.allow(*FDB_FIELDS)
        device, mac = item.text("device"), item.parsed(item.text("mac"), MAC.parse)
        dst = item.parsed(item.text("dst"), networks.address)
        if device is None or not item.has("mac"):
            item.error("a forwarding entry has a device and a mac", "such as {device: eth1, mac: 02:00:00:00:00:12}")
        elif mac is not None and (dst is not None or not item.has("dst")):
            yield StaticFdb(device.value, mac, dst, item.spot.origin)


def read_neighbours(section: Section) -> Iterator[StaticNeighbour]:
    """The neighbour entries that are right."""
    for item, _ in section.sections("neighbours"):
        item.allow(*NEIGHBOUR_FIELDS)
        neighbour = _neighbour(item)
        if neighbour is not None:
            yield neighbour


def _neighbour(item: Section) -> StaticNeighbour | None:
    device = item.text("device")
    address = item.parsed(item.text("address"), networks.address)
    mac = item.parsed(item.text("mac"), MAC.parse)
    state = word(item, "state", NEIGHBOUR_STATES, "permanent")
    proxy = bool(item.boolean("proxy"))
    bare = proxy or state in WITHOUT_MAC
    if device is None or not item.has("address") or (not bare and not item.has("mac")):
        example = "such as {device: eth0, address: 192.168.0.12, mac: 02:00:00:00:00:12}"
        item.error("a neighbour has a device, an address and a mac", example)
        return None
    if bare and item.has("mac"):
        what = "an address that is answered for" if proxy else f"a neighbour that is {state}"
        item.error(f"{what} has no mac", "", "mac")
        return None
    if address is None or state is None or (mac is None and not bare):
        return None
    return StaticNeighbour(device.value, address, mac, state, proxy, item.spot.origin)
