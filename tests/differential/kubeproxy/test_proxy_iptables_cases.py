"""Every reference case of the iptables mode: all tables after each sync, and what each sync sent."""

import pytest

from proxy.replay.run import replay
from tests.differential.kubeproxy.kubeproxy_cases import case_names, documents, expected, iptables_form


@pytest.mark.parametrize("name", case_names("iptables"))
def test_rules_and_payloads_are_those_of_kube_proxy(name):
    case, steps = documents(name)
    written = {file: text for texts in replay(case, steps, "iptables") for file, text in texts.items()}
    recorded = expected(name, "iptables")
    assert sorted(written) == sorted(recorded)
    for file in sorted(recorded):
        assert iptables_form(written[file]) == iptables_form(recorded[file]), file


def test_the_cases_are_there():
    assert len(case_names("iptables")) == 91


SWAPPED = (
    ("*nat\n:A - [0:0]\n-A A -j X\n-A A -j Y\nCOMMIT\n", "*nat\n:A - [0:0]\n-A A -j Y\n-A A -j X\nCOMMIT\n", False),
    (
        "*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j X\n-A KUBE-SERVICES -j Y\nCOMMIT\n",
        "*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j Y\n-A KUBE-SERVICES -j X\nCOMMIT\n",
        True,
    ),
    ("*nat\n:A - [0:0]\n:B - [0:0]\nCOMMIT\n", "*nat\n:B - [0:0]\n:A - [0:0]\nCOMMIT\n", True),
    ("*nat\n:A - [0:0]\nCOMMIT\n", "*nat\n:B - [0:0]\nCOMMIT\n", False),
    ("*nat\n-X A\nCOMMIT\n", "*nat\nCOMMIT\n", False),
)


@pytest.mark.parametrize(("left", "right", "same"), SWAPPED)
def test_order_counts_only_where_kube_proxy_keeps_one(left, right, same):
    assert (iptables_form(left) == iptables_form(right)) is same
