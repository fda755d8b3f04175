"""Runs in the guest: for each row builds client, node and backend, makes one connection; who heard what, and which rules counted."""

import contextlib
import ctypes
import errno
import json
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000
SECONDS = 0.5
PORTS = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def sh(*words, lines=()):
    given = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(words, input=given, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stderr}\n{given}")
    return done.stdout


def enter(row, netns):
    with Path(f"/run/netns/{netns}{row['number']}").open() as place:
        if LIBC.setns(place.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {netns}")


def wire(rows):
    """The namespaces of all rows, each row's with its number behind the name."""
    for number, row in enumerate(rows):
        row["number"] = number
    names = [f"{name}{row['number']}" for row in rows for name in row["netns"]]
    sh("ip", "-batch", "-", lines=[f"netns add {name}" for name in names])
    pairs = ((row["number"], end) for row in rows for end in ("c", "b"))
    sh("ip", "-batch", "-", lines=[f"link add v{e} netns n{n} type veth peer name eth0 netns {e}{n}" for n, e in pairs])


def settle(device):
    """No redirects, which the model does not send; neighbours that fail soon."""
    Path("/proc/sys/net/ipv4/conf", device, "send_redirects").write_text("0")
    if (timer := Path("/proc/sys/net/ipv4/neigh", device, "retrans_time_ms")).exists():
        timer.write_text("30")


def await_bridge():
    """A port forwards only once its carrier was noticed."""
    until = time.monotonic() + 10
    while sh("bridge", "link").count("state forwarding") < PORTS and time.monotonic() < until:
        time.sleep(0.02)


def build(row):
    for name, spec in row["netns"].items():
        enter(row, name)
        for key, value in spec["sysctls"].items():
            Path("/proc/sys", key.replace(".", "/")).write_text(value)
        sh("ip", "-batch", "-", lines=["link set lo up", *spec["ip"]])
        for device in sorted(path.name for path in Path("/proc/sys/net/ipv4/conf").iterdir()):
            settle(device)
        if Path("/proc/sys/net/ipv4/conf/br0").exists():
            await_bridge()
        if spec["iptables"]:
            sh("iptables-legacy-restore", lines=[spec["iptables"]])
        if spec["ipvsadm"]:
            sh("ipvsadm", "-R", lines=spec["ipvsadm"])


def listen(row):
    found = []
    for netns, kind, family, port in row["listeners"]:
        enter(row, netns)
        server = socket.socket(
            socket.AF_INET if family == 4 else socket.AF_INET6,
            socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM,
        )
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("", port))
        if kind == "tcp":
            server.listen()
        server.setblocking(False)
        found.append((netns, kind, server))
    return found


def probe(row, servers):
    """What the client hears, and who reached which server from which address."""
    flow = row["flow"]
    enter(row, flow["netns"])
    family = socket.AF_INET6 if ":" in flow["to"] else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM if flow["kind"] == "tcp" else socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, flow["ttl"])
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", 40000))
    client.setblocking(False)
    heard, reached = "", []
    try:
        client.connect((flow["to"], flow["port"]))
        if flow["kind"] == "udp":
            client.send(b"query")
    except BlockingIOError:
        pass
    except OSError as error:
        heard = errno.errorcode[error.errno]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and not (heard and (reached or heard.startswith("E"))):
        reached += served(servers, SECONDS / 10)
        heard = heard or answered(client, flow["kind"])
    return heard, [*reached, *served(servers, SECONDS / 10)], client


def served(servers, seconds):
    ready, _, _ = select.select([server for _, _, server in servers], [], [], seconds)
    found = []
    for netns, kind, server in servers:
        if server not in ready:
            continue
        if kind == "tcp":
            connection, peer = server.accept()
            KEPT.append(connection)
        else:
            _, peer = server.recvfrom(100)
            with contextlib.suppress(OSError):
                server.sendto(b"answer", peer)
        found.append(f"{netns} from {peer[0]}")
    return found


KEPT = []


def answered(client, kind):
    poller = select.poll()
    poller.register(client, select.POLLIN | select.POLLOUT | select.POLLERR)
    events = dict(poller.poll(0)).get(client.fileno(), 0)
    if events & (select.POLLERR | select.POLLHUP):
        code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode.get(code, "") if code else ""
    if kind == "tcp":
        return "connected" if events & select.POLLOUT else ""
    return "answer" if events & select.POLLIN else ""


def counted(row):
    """Rules of the node that a packet matched: "table CHAIN number" → packets."""
    enter(row, "n")
    counts, table, numbers = {}, "", {}
    for line in sh("iptables-legacy-save", "-c").splitlines():
        if line.startswith("*"):
            table, numbers = line[1:], {}
        if match := re.match(r"\[(\d+):\d+\] -A (\S+)", line):
            number = numbers[match[2]] = numbers.get(match[2], -1) + 1
            if int(match[1]):
                counts[f"{table} {match[2]} {number}"] = int(match[1])
    return counts


def close(sockets):
    for each in sockets:
        each.close()


def run(row):
    build(row)
    servers = listen(row)
    heard, reached, client = probe(row, servers)
    sockets = [client, *KEPT, *(server for _, _, server in servers)]
    if heard not in ("connected", "answer"):
        close(sockets)  # or a SYN and its answer would be sent again, and counted again
    counts = counted(row)
    connections = sorted(" ".join(line.split()[:6]) for line in sh("ipvsadm", "-Lnc").splitlines()[2:])
    close(sockets)
    KEPT.clear()
    return {"heard": heard, "reached": reached, "counted": counts, "connections": connections}


def attempt(row):
    """A row that cannot be built fails alone."""
    print(time.monotonic(), row["flow"], file=sys.stderr, flush=True)
    try:
        return run(row)
    except (OSError, RuntimeError) as error:
        return {"heard": str(error), "reached": [], "counted": {}, "connections": []}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    Path("/proc/sys/net/core/fb_tunnels_only_for_init_net").write_text("0")  # real servers have tunl0
    sh("modprobe", "ipip")
    wire(given)
    print(json.dumps([attempt(row) for row in given]))
