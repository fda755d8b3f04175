"""Every row is answered as kube-apiserver v1.37.2 answers it: code, reason, message, causes, defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from netsim.cluster.access.users import Certificate
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.http.handler import Handler
from netsim.cluster.http.message import Request
from tests.apiserver_asking import Send, ask, furnish
from tests.apiserver_rows import ROWS, Row

ANSWERS = json.loads((Path(__file__).parents[1] / "data/apiserver/answers.json").read_text(encoding="utf-8"))

_TAINT = "a Node of a manifest is one whose kubelet has come: it is not tainted first"
_IN_USE = "what is in use is not held by finalizers"
DIFFERENT = {
    "service: no name": "the real text is an accident: the address is recorded under no name before the name is looked at",
    "pod: container: hostIP wrong": "the API server lets it pass, and no node can use it: it is told at once",
    "deployment: old version": "a group that is not there has no Status there",
    "node: plain": _TAINT,
    "node: podCIDR": _TAINT,
    "node: podCIDRs other": _TAINT,
    "persistentvolume: plain": _IN_USE,
    "persistentvolumeclaim: plain": _IN_USE,
}
"""Rows that are answered otherwise on purpose, and why."""


@pytest.fixture(scope="module")
def send() -> Send:
    plane = ControlPlane([], [])
    plane.run_until_steady()
    handler = Handler(plane.api, plane.authentication, plane.tokens)

    def answered(method: str, path: str, body: Any, kind: str, user: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        query = {key: tuple(values) for key, values in parse_qs(parts.query).items()}
        certificate = Certificate(user, ("system:masters",) if user == "admin" else ())
        headers = {"content-type": (kind,), "user-agent": ("rows",)}
        answer = handler.handle(Request(method, parts.path, query, headers, body, certificate))
        return answer.status, json.loads(json.dumps(answer.body))

    furnish(answered)
    return answered


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_answers(send: Send, row: Row) -> None:
    found = ask(send, row)
    if row.id in DIFFERENT:
        assert found != ANSWERS[row.id]
    else:
        assert found == ANSWERS[row.id]


def test_every_row_has_its_answer() -> None:
    assert {row.id for row in ROWS} == set(ANSWERS)
