"""Runs in the guest: opens connections to virtual servers one after the other, and says which real server each got.

Each case has a virtual server, real servers and counters of its own, so all of them share one namespace. All connections stay open.
"""

import contextlib
import json
import resource
import socket
import subprocess
import sys
from pathlib import Path

PORT = 80
TABLE_READ_EVERY = 25  # an unanswered SYN's entry lives for a minute


def sh(*words, lines):
    subprocess.run(words, input="".join(f"{line}\n" for line in lines), text=True, check=True, capture_output=True)


def virtual(number):
    return f"172.{16 + number // 200}.{number % 200}.1"


def real_server(number, real):
    return f"172.{48 + number // 200}.{number % 200}.{real}"


def servers(number, case):
    service = f"{'-u' if case['udp'] else '-t'} {virtual(number)}:{PORT}"
    flags = f" -b {case['flags']}" if case["flags"] else ""
    extra = f" -p {case['persistent']}" if case["persistent"] else ""
    yield f"-A {service} -s {case['scheduler']}{flags}{extra}"
    for real, weight in enumerate(case["weights"], 1):
        yield f"-a {service} -r {real_server(number, real)}:8080 -m -w {weight}"


def connect(number, case, source, sport):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if case["udp"] else socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((source, sport))
    client.setblocking(False)
    with contextlib.suppress(OSError):
        client.connect((virtual(number), PORT))
        if case["udp"]:
            client.send(b"?")
    return client


def chosen():
    """(client's address, its port, virtual address) → number of the real server, from the kernel's table."""
    rows = [line.split() for line in Path("/proc/net/ip_vs_conn").read_text().splitlines()[1:]]
    return {(row[1], int(row[2], 16), row[3]): int(row[5][-2:], 16) for row in rows}


def packed(address):
    return "".join(f"{int(part):02X}" for part in address.split("."))


def main():
    cases = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    addresses = ["link set lo up", "link add d0 type dummy", "link set d0 up", "addr add 172.63.255.254/12 dev d0"]
    addresses += [f"addr add {virtual(number)}/32 dev d0" for number in range(len(cases))]
    sources = sorted({source for case in cases for source, _ in case["clients"]})
    sh("ip", "-batch", "-", lines=[*addresses, *(f"addr add {source}/32 dev lo" for source in sources)])
    sh("ipvsadm", "-R", lines=[line for number, case in enumerate(cases) for line in servers(number, case)])
    kept, known = [], {}
    for number, case in enumerate(cases):
        kept += [connect(number, case, *client) for client in case["clients"]]
        if number % TABLE_READ_EVERY == 0 or number == len(cases) - 1:
            known |= chosen()
    print(json.dumps([answer(number, case, known) for number, case in enumerate(cases)]))


def answer(number, case, known):
    vip = packed(virtual(number))
    return [known.get((packed(source), sport, vip), 0) for source, sport in case["clients"]]


if __name__ == "__main__":
    main()
