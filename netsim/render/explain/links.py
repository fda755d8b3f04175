"""Reasons that come from devices, bridges, tunnels and neighbours."""

from __future__ import annotations

from netsim.render.explain.model import Explanation, Look

_LINK = Look("ip -d -s link show DEVICE", "its state, MTU, kind, and dropped packets")
_NEIGH = Look("ip neigh show dev DEVICE", "FAILED and INCOMPLETE entries")
_FDB = Look("bridge fdb show dev DEVICE", "which MAC is behind which port or tunnel endpoint")
_PORTS = Look("bridge -d link show", "the ports, with hairpin, isolated, learning and flood")

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "NEIGHBOUR_FAILED",
        "The next hop is on the link, and nobody answered ARP (IPv6: neighbour discovery) for it, three times a second "
        "apart. Then the packets that waited are dropped; a local sender gets 'no route to host', a remote one ICMP host "
        "unreachable. Usually the pod is gone and somebody still sends to it: a stale endpoint, an old conntrack entry "
        "that keeps translating a UDP flow, an IPVS connection.",
        (
            _NEIGH,
            Look("conntrack -L -d SERVICE | grep ADDRESS", "an old entry that still translates to the dead address"),
            Look("kubectl get pods -A -o wide | grep ADDRESS", "whether any pod has it"),
            Look("tcpdump -eni DEVICE arp or icmp6", "the questions that nobody answers"),
        ),
        (
            "Remove the old entry: `conntrack -D -p udp --orig-dst SERVICE --orig-port-dst PORT`.",
            "Correct the route or the address plan, if the address is not on that link.",
        ),
        ("stale-conntrack", "pod-cidr-overlap", "ipvs-port-reused", "ipvs-affinity-stale"),
        ("net/ipv4/arp.c arp_error_report(), net/core/neighbour.c (v6.12)", "kubernetes/kubernetes#125467, #139628"),
    ),
    Explanation(
        "NEIGHBOUR_TABLE_FULL",
        "The neighbour table has as many entries as gc_thresh3 allows (1024 unless set), for all namespaces of the "
        "machine together, and nothing old enough to throw away. New next hops cannot be asked for: new nodes and pods "
        "are unreachable, old ones work.",
        (
            Look("dmesg | grep 'neighbor table overflow'", "the kernel's complaint"),
            Look(
                "sysctl net.ipv4.neigh.default.gc_thresh1 net.ipv4.neigh.default.gc_thresh2 net.ipv4.neigh.default.gc_thresh3",
                "the limits",
            ),
            Look("ip neigh | wc -l", "the entries of this namespace"),
        ),
        ("Raise gc_thresh1, gc_thresh2 and gc_thresh3 above the number of nodes and pods that the node talks to.",),
        ("neighbour-table-full",),
        ("net/core/neighbour.c neigh_alloc() (v6.12)", "kubernetes/kops#4533"),
    ),
    Explanation(
        "HAIRPIN_OFF",
        "A bridge never sends a frame back out of the port that it came in by, unless the port's hairpin_mode is on. A "
        "pod whose Service picks the pod itself needs just that: it works for all other backends and fails for 1 of N "
        "tries.",
        (_PORTS, Look("cat /sys/class/net/DEVICE/brport/hairpin_mode", "1 where it is on")),
        (
            "hairpinMode: true in the CNI's bridge configuration, then restart the pods.",
            "`bridge link set dev DEVICE hairpin on` for those that run.",
        ),
        ("hairpin-off",),
        ("net/bridge/br_forward.c should_deliver() (v6.12)", "kubernetes/kubernetes#13375, #20475"),
    ),
    Explanation(
        "PORT_ISOLATED",
        "Both ports of the bridge are isolated: such ports only talk to ports that are not.",
        (_PORTS,),
        ("`bridge link set dev DEVICE isolated off` on one of the two.",),
        references=("net/bridge/br_forward.c br_skb_isolated() (v6.12)",),
    ),
    Explanation(
        "BRIDGE_NO_PORT",
        "The bridge has no other port that is up and takes the frame: the pod's device is not attached, or the bridge is "
        "the wrong one.",
        (_PORTS, _FDB),
        ("Attach the device: `ip link set DEVICE master BRIDGE`.", "Make the pod anew."),
        references=("net/bridge/br_forward.c br_flood() (v6.12)",),
    ),
    Explanation(
        "WRONG_MAC",
        "The frame's MAC address is not the receiver's: it is taken for somebody else's and dropped without a trace but "
        "in captures. The sender has a stale neighbour entry, or the receiver changed its MAC (a tunnel device that was "
        "made anew).",
        (_NEIGH, _FDB, Look("tcpdump -eni DEVICE", "the MAC addresses on the wire")),
        (
            "`ip neigh flush dev DEVICE` on the sender.",
            "Restart the overlay's agent where it writes permanent entries (flannel).",
        ),
        references=("net/ethernet/eth.c eth_type_trans(): PACKET_OTHERHOST (v6.12)",),
    ),
    Explanation(
        "DEVICE_DOWN",
        "The device is administratively down: it neither sends nor receives, and its routes are gone.",
        (_LINK,),
        (
            "`ip link set DEVICE up`.",
            "Look who took it down: NetworkManager and systemd-networkd manage what nobody excluded.",
        ),
        references=("net/core/dev.c __dev_queue_xmit() (v6.12)",),
    ),
    Explanation(
        "NO_CARRIER",
        "The device is up and its other end is down, so it has no carrier. Frames given to it vanish; routes stay, unless "
        "ignore_routes_with_linkdown is set.",
        (_LINK,),
        ("Set the other end up: of a veth that is in the pod's namespace.",),
        references=("drivers/net/veth.c veth_xmit() (v6.12)",),
    ),
    Explanation(
        "NO_PEER",
        "The device has no other end: the namespace that had it is gone.",
        (_LINK,),
        ("Make the pod anew; delete what is left over (`ip link del DEVICE`).",),
        references=("drivers/net/veth.c (v6.12)",),
    ),
    Explanation(
        "DUMMY_DEVICE",
        "The route leads out of a dummy device. Such a device only holds addresses (kube-ipvs0, nodelocaldns): what is "
        "sent by it is counted and thrown away.",
        (_LINK, Look("ip route get ADDRESS", "the route by that device")),
        ("Route the address by a real device, or give it to the dummy device if it is the host's own.",),
        references=("drivers/net/dummy.c dummy_xmit() (v6.12)",),
    ),
    Explanation(
        "VTEP_UNKNOWN",
        "A vxlan device looks up the frame's MAC in its FDB to learn the node it is behind. flannel writes an entry for "
        "each node and turns learning off; where the entry is missing or for an old MAC, the frame is dropped, and only "
        "'TX dropped' tells. After a reboot a node has a new MAC until flannel has written it down.",
        (
            _FDB,
            Look("ip neigh show dev flannel.1", "the MAC that is used for each node"),
            Look(
                "kubectl get node NODE -o jsonpath='{.metadata.annotations.flannel\\.alpha\\.coreos\\.com/backend-data}'",
                "the MAC that ought to be",
            ),
            _LINK,
        ),
        (
            "Restart flannel's pod on the node that sends.",
            "`bridge fdb append MAC dev flannel.1 dst NODEADDRESS` by hand, for now.",
        ),
        ("vxlan-stale-fdb",),
        ("drivers/net/vxlan/vxlan_core.c vxlan_xmit() (v6.12)", "flannel-io/flannel#533, #654"),
    ),
    Explanation(
        "VNI_UNKNOWN",
        "The tunnel's datagram arrived, and no vxlan device of the receiver has its identifier.",
        (Look("ip -d link show type vxlan", "identifier (id) and port (dstport) of each device"),),
        ("Give both ends the same identifier and port.",),
        references=("drivers/net/vxlan/vxlan_core.c vxlan_rcv() (v6.12)",),
    ),
    Explanation(
        "VXLAN_REFUSED",
        "The vxlan device does not take what came out of the tunnel: it is malformed, or has the device's own MAC as its "
        "source, or one that the FDB knows elsewhere.",
        (_FDB, _LINK),
        ("Give each vxlan device a MAC of its own.", "Look who else sends to its port."),
        references=("drivers/net/vxlan/vxlan_core.c vxlan_snoop() (v6.12)",),
    ),
)
