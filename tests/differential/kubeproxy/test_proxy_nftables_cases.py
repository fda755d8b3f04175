"""Every reference case of the nftables mode: the table after each sync, and the transaction of each sync."""

import pytest

from proxy.replay.run import replay
from tests.differential.kubeproxy.kubeproxy_cases import case_names, documents, expected
from tests.nftables_texts import NftablesTable, TransactionError, nftables_form, table_form


@pytest.mark.parametrize("name", case_names("nftables"))
def test_tables_and_transactions_are_those_of_kube_proxy(name):
    case, steps = documents(name)
    written = {file: text for texts in replay(case, steps, "nftables") for file, text in texts.items()}
    recorded = {file: text for file, text in expected(name, "nftables").items() if not file.endswith(".nft-list")}
    assert sorted(written) == sorted(recorded)
    for file in sorted(recorded):
        assert nftables_form(written[file]) == nftables_form(recorded[file]), file


def test_the_cases_are_there():
    assert len(case_names("nftables")) == 91
    files = [file for name in case_names("nftables") for file in expected(name, "nftables")]
    assert sum(file.endswith(".transaction") for file in files) == 102


@pytest.mark.parametrize("name", case_names("nftables"))
def test_recorded_transactions_lead_the_model_to_the_recorded_tables(name):
    """The model that other tests rely on: what kube-proxy sent makes of one recorded table the next."""
    recorded = expected(name, "nftables")
    for file in sorted(recorded):
        if file.endswith(".transaction"):
            step, rest = int(file[5:7]), file[7:]
            before = recorded[f"step-{step - 1:02d}{rest.replace('.transaction', '.nft')}"]
            after = recorded[file.replace(".transaction", ".nft")]
            table = NftablesTable()
            table.apply(before)
            table.apply(recorded[file])
            assert without_timeouts(table.form()) == without_timeouts(table_form(after))


def without_timeouts(form):
    """The recorder keeps the timeout that a set was made with; the model, like Linux, takes the new one."""
    rules, declared, elements = form
    return rules, sorted(line.partition(" timeout ")[0] for line in declared), elements


ADD = "add table ip t { }\nadd chain ip t a\nadd chain ip t b\nadd map ip t m { type x : verdict ; }\n"
REFUSED = (
    "flush chain ip t none",
    "delete chain ip t none",
    "add rule ip t none drop",
    "add rule ip t a goto none",
    "add rule ip t a x vmap @none",
    "add element ip t m { 1 : goto none }",
    "add element ip t m { 1 : drop }\nadd element ip t m { 1 : accept }",
    "delete element ip t m { 1 }",
    "add element ip t m { 1 : goto a }\ndelete chain ip t a",
    "add rule ip t a goto b\ndelete chain ip t b",
    "add rule ip t a drop\ndelete chain ip t a",
    "add map ip t m { type y : verdict ; }",
)


@pytest.mark.parametrize("transaction", REFUSED)
def test_the_model_refuses_what_linux_refuses_and_leaves_the_table_as_it_was(transaction):
    table = NftablesTable()
    table.apply(ADD)
    before = table.form()
    with pytest.raises(TransactionError):
        table.apply(f"add chain ip t c\n{transaction}\n")
    assert table.form() == before


SWAPPED = (
    ("add rule ip t a x\nadd rule ip t a y\n", "add rule ip t a y\nadd rule ip t a x\n", False),
    ("add rule ip t a x\nadd rule ip t b y\n", "add rule ip t b y\nadd rule ip t a x\n", True),
    (
        "add element ip t m { 1 }\nadd element ip t m { 2 }\n",
        "add element ip t m { 2 }\nadd element ip t m { 1 }\n",
        True,
    ),
    ("flush chain ip t a\n", "flush chain ip t b\n", False),
    ("flush chain ip t a\nflush chain ip t a\n", "flush chain ip t a\n", False),
)


@pytest.mark.parametrize(("left", "right", "same"), SWAPPED)
def test_order_counts_only_where_it_matters(left, right, same):
    assert (nftables_form(left) == nftables_form(right)) is same
