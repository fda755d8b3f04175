"""What the kernel calls the model's reasons: every reason has its row, and places come first."""

from __future__ import annotations

import pytest

from netsim.stack.kernel_reasons import KERNEL_NAMES, UNNAMED, kernel_names
from netsim.stack.reasons import DropReason

OWN = {DropReason.SOCKET_REFUSED, DropReason.FORWARDING_LOOP}
"""Reasons of the model alone: a system call that fails, and a walk that is cut."""


def test_every_reason_of_the_kernels_has_its_names():
    assert set(DropReason) - set(KERNEL_NAMES) == OWN


PLACES = [
    # reason, the model's place, what the kernel says
    (DropReason.NETFILTER_REJECT, "FORWARD", ("NETFILTER_DROP",)),
    (DropReason.NEIGH_FAILED, "arp_error_report", ("NEIGH_FAILED", UNNAMED, "QUEUE_PURGE")),
    (DropReason.NO_CARRIER, "veth_xmit", ()),
    (DropReason.NO_CARRIER, "neigh_resolve_output", ("NEIGH_FAILED", UNNAMED, "QUEUE_PURGE")),
    (DropReason.IP_OUTNOROUTES, "connect()", ()),
    (DropReason.ICMP_UNEXPECTED, "ping_rcv", ("NO_SOCKET",)),
    (DropReason.ICMP_UNEXPECTED, "icmp_unreach", ()),
]


@pytest.mark.parametrize(("reason", "where", "names"), PLACES)
def test_what_the_kernel_says_at_a_place(reason, where, names):
    assert kernel_names(reason, where) == names
