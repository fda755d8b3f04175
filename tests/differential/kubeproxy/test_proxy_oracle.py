"""Random cases that kube-proxy's own code was asked about (``oracle/README.md``): our proxy programs what it answered."""

import gzip
import json

import pytest

from tests.differential.kubeproxy.oracle_cases import ANSWERS, MODES, digest, programmed

CASES = json.loads(gzip.decompress(ANSWERS.read_bytes()))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kept", CASES, ids=lambda kept: kept["name"])
def test_the_answer_is_that_of_kube_proxy(kept, mode):
    assert digest(dict(programmed(kept["case"], kept["steps"], mode))) == kept["told"][mode]


def test_the_cases_are_there_and_differ():
    assert len(CASES) == 60
    assert len({kept["told"][mode] for kept in CASES for mode in MODES}) > 170
