"""Ask a real kube-apiserver the rows of ``tests.apiserver_rows`` and write down what it answers.

    python -m tests.differential.apiserver.record https://127.0.0.1:6443 > tests/data/apiserver/answers.json

The server: ``--service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC`` with ``--token-auth-file`` that knows the tokens
``admin-token`` (a user of system:masters) and ``jane-token`` (user jane), on an empty etcd, without controllers.
"""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request
from typing import Any

from tests.apiserver_asking import ask, furnish
from tests.apiserver_rows import ROWS


class Client:
    """One server, spoken to over TLS without looking at its certificate."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._tls = ssl._create_unverified_context()

    def __call__(
        self, method: str, path: str, body: Any, kind: str, user: str, accept: str = "application/json"
    ) -> tuple[int, Any]:
        """Ask, and answer the status and the body."""
        headers = {"Content-Type": kind, "Accept": accept, "Authorization": f"Bearer {user}-token"}
        asked = urllib.request.Request(
            self._url + path, None if body is None else json.dumps(body).encode(), headers, method=method
        )
        try:
            with urllib.request.urlopen(asked, context=self._tls) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except json.JSONDecodeError:
                return error.code, {"message": text.decode().strip()}


def main() -> None:
    """Answers as JSON, one row a line."""
    client = Client(sys.argv[1])
    furnish(client)
    lines = [
        f"{json.dumps(row.id)}: {json.dumps(ask(client, row), sort_keys=True, ensure_ascii=False)}" for row in ROWS
    ]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
