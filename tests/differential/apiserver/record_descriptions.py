"""Ask a real kubectl how it describes the objects of ``tests.apiserver_tables``, after ``record_tables`` has made them.

python -m tests.differential.apiserver.record_descriptions kubectl --server=… > tests/data/apiserver/descriptions.json
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

from netsim.cluster.resources import resource_of
from tests.apiserver_tables import DESCRIBED, OBJECTS

CREATED = "Thu, 01 Jan 2026 00:00:00 +0000"


def main() -> None:
    """Descriptions as JSON, an object a line; every time of the server's own is the same."""
    told = {}
    for body in OBJECTS:
        if body["kind"] in DESCRIBED:
            resource, name = resource_of(body["kind"], body["apiVersion"]).plural, body["metadata"]["name"]
            command = [*sys.argv[1:], "-n", "tables", "describe", resource, name, "--show-events=false"]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            text = re.sub(r"(CreationTimestamp: +)\w{3}, .*", rf"\g<1>{CREATED}", text)
            told[f"{resource}: {name}"] = "\n".join(line.rstrip() for line in text.rstrip().split("\n"))
    print("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in told.items()) + "\n}")


if __name__ == "__main__":
    main()
