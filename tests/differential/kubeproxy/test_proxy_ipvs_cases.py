"""Every reference case of the ipvs mode: rules, virtual servers, sets and addresses after each sync."""

import pytest

from proxy.replay.recorder import as_recorded
from proxy.replay.run import family_label, replay
from tests.differential.kubeproxy.kubeproxy_cases import case_names, documents, expected, rules_form, syncs


@pytest.mark.parametrize("name", case_names("ipvs"))
def test_everything_programmed_is_that_of_kube_proxy(name):
    case, steps = documents(name)
    written = {file: text for texts in replay(case, steps, "ipvs") for file, text in texts.items()}
    recorded = expected(name, "ipvs")
    assert sorted(written) == sorted(recorded)
    for file in sorted(recorded):
        form = rules_form if file.endswith(".rules") else str
        assert form(written[file]) == form(recorded[file]), file


def test_the_cases_are_there():
    assert len(case_names("ipvs")) == 100


@pytest.mark.parametrize("name", case_names("ipvs"))
def test_the_addresses_are_those_of_the_recorded_set_of_addresses(name):
    """Unlike ``.addresses``, which a later step may have written over (``proxy.replay.ipvs_recorder``)."""
    recorded = expected(name, "ipvs")
    for number, family, sync in syncs(*documents(name), "ipvs"):
        stem = f"step-{number:02d}.ipvs.{family_label(family)}"
        members = [line.split()[2] for line in recorded[f"{stem}.ipset"].splitlines() if "-IPVS-IPS " in line]
        assert sync.dummy_addresses().split() == members


@pytest.mark.parametrize("name", ["random-00004", "steps-rolling-update", "large-cluster"])
def test_the_quirk_of_quoted_comments_changes_nothing_here(name):
    for _, _, sync in syncs(*documents(name), "ipvs"):
        assert as_recorded(sync.rules()) == sync.rules()


def test_the_order_of_rules_counts_but_in_one_chain():
    assert rules_form("-A A -j X\n-A A -j Y\n") != rules_form("-A A -j Y\n-A A -j X\n")
    free = "KUBE-IPVS-OUT-FILTER"
    assert rules_form(f"-A {free} -j X\n-A {free} -j Y\n") == rules_form(f"-A {free} -j Y\n-A {free} -j X\n")
