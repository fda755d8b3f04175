"""The embedded key-value store against a real etcd (Debian's etcd-server), request by request, over its JSON gateway."""

from __future__ import annotations

import base64
import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from netsim.cluster.etcd.memory import MemoryStore
from netsim.cluster.etcd.model import (
    Compare,
    DeleteRange,
    DeleteRangeResponse,
    EtcdError,
    Operation,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Result,
    Target,
)

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("etcd") is None, reason="apt-get install etcd-server"),
]
KEYS = ("/a", "/a/1", "/a/2", "/b/1", "/c")
FIELDS = {Target.VERSION: "version", Target.CREATE_REVISION: "create_revision", Target.MOD_REVISION: "mod_revision"}


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class RealEtcd:
    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        self._connection.request("POST", f"/v3/{path}", json.dumps(body))
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

    def close(self) -> None:
        self._connection.close()

    def wiped(self) -> int:
        """Delete every key, and answer the revision."""
        return int(self.call("kv/deleterange", key=coded("\0"), range_end=coded("\0"))["header"]["revision"])

    def transact(self, compares: Sequence[Compare], success: Sequence[Operation], failure: Sequence[Operation]) -> Any:
        body = {
            "compare": [self._compare(c) for c in compares],
            "success": [self._operation(o) for o in success],
            "failure": [self._operation(o) for o in failure],
        }
        found = self.call("kv/txn", **body)
        if "error" in found:
            return found["error"]
        answers = [self._answer(*next(iter(r.items()))) for r in found.get("responses", [])]
        return bool(found.get("succeeded")), int(found["header"]["revision"]), answers

    def _compare(self, compare: Compare) -> dict[str, Any]:
        found: dict[str, Any] = {"key": coded(compare.key), "result": compare.result.name}
        if compare.target is Target.VALUE:
            return {**found, "target": "VALUE", "value": coded(str(compare.operand))}
        name = FIELDS[compare.target]
        return {
            **found,
            "target": {"version": "VERSION", "create_revision": "CREATE", "mod_revision": "MOD"}[name],
            name: compare.operand,
        }

    def _operation(self, operation: Operation) -> dict[str, Any]:
        match operation:
            case Put():
                return {
                    "request_put": {"key": coded(operation.key), "value": coded(str(operation.value)), "prev_kv": True}
                }
            case DeleteRange():
                return {"request_delete_range": {**self._range(operation), "prev_kv": True}}
            case Range():
                return {
                    "request_range": {
                        **self._range(operation),
                        "limit": operation.limit,
                        "revision": operation.revision,
                    }
                }

    def _range(self, operation: DeleteRange | Range) -> dict[str, Any]:
        return {"key": coded(operation.key), **({"range_end": coded(operation.end)} if operation.end else {})}

    def _answer(self, kind: str, answer: dict[str, Any]) -> Any:
        if kind == "response_put":
            return told_kv(answer["prev_kv"]) if "prev_kv" in answer else None
        if kind == "response_range":
            return [told_kv(kv) for kv in answer.get("kvs", [])], int(answer.get("count", 0))
        return [told_kv(kv) for kv in answer.get("prev_kvs", [])]


def told_kv(kv: dict[str, Any]) -> tuple[str, str, int, int, int]:
    key, value = (base64.b64decode(kv.get(name, "")).decode() for name in ("key", "value"))
    return key, value, *(int(kv[name]) for name in ("create_revision", "mod_revision", "version"))  # type: ignore[return-value]


def ours(kv: Any) -> tuple[str, str, int, int, int]:
    return kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version


def asked(store: MemoryStore, compares: Any, success: Any, failure: Any) -> Any:
    try:
        done = store.transact(compares, success, failure)
    except EtcdError as error:
        return str(error)
    answers: list[Any] = []
    for answer in done.answers:
        match answer:
            case PutResponse():
                answers.append(ours(answer.previous) if answer.previous else None)
            case DeleteRangeResponse():
                answers.append([ours(kv) for kv in answer.previous])
            case RangeResponse():
                answers.append(([ours(kv) for kv in answer.kvs], answer.count))
    return done.succeeded, done.revision, answers


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealEtcd]:
    folder: Path = tmp_path_factory.mktemp("etcd")
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        client, peer = one.getsockname()[1], two.getsockname()[1]
    urls = {"listen-client-urls": client, "advertise-client-urls": client, "listen-peer-urls": peer}
    words = [f"--{name}=http://127.0.0.1:{port}" for name, port in urls.items()]
    again = [
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["etcd", "--data-dir", str(folder / "data"), *words, *again], stdout=log, stderr=log)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", client)).close()
                break
            except OSError:
                time.sleep(0.1)
        found = RealEtcd(client)
        yield found
        found.close()
    finally:
        process.terminate()
        process.wait()


def drawn(random_: random.Random, first: int, revision: int) -> tuple[list[Compare], list[Operation], list[Operation]]:
    def operation() -> Operation:
        key, end = random_.choice(KEYS), random_.choice(["", "/b", "/y"])
        match random_.randrange(4):
            case 0 | 1:
                return Put(key, random_.choice("vwx"))
            case 2:
                return DeleteRange(key, end)
            case _:
                return Range(
                    key, end, random_.randrange(3), random_.choice([0, 0, max(first, revision - random_.randrange(4))])
                )

    def compare() -> Compare:
        target = random_.choice([*FIELDS, Target.VALUE])
        operand: Any = random_.choice("vwx") if target is Target.VALUE else random_.choice([0, 1, 2, revision])
        return Compare(random_.choice(KEYS), target, random_.choice(list(Result)), operand)

    return (
        [compare() for _ in range(random_.randrange(3))],
        [operation() for _ in range(random_.randrange(1, 4))],
        [operation() for _ in range(random_.randrange(3))],
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_same_requests_have_the_same_answers(etcd: RealEtcd, seed: int) -> None:
    store, revision = MemoryStore(lambda: 0.0), etcd.wiped()
    while store.revision < revision:  # what is drawn has no past in either
        store.transact((), [Put("/zz", "fill")])
    random_ = random.Random(seed)
    for _ in range(25):
        request = drawn(random_, revision, store.revision)
        assert asked(store, *request) == etcd.transact(*request), request
