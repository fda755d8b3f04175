"""Sockets that answer: TCP accepts and says nothing, UDP sends a datagram back from the address that it was sent to.

Run inside a namespace with a word PROTOCOL,PORT,ADDRESS,V6ONLY for each socket; no ADDRESS is both families. Prints ``ready`` once
all are open.
"""

import selectors
import socket
import sys
from contextlib import suppress

IP_PKTINFO = 8


def opened(word: str) -> socket.socket:
    protocol, port, address, v6only = word.split(",")
    six = not address or ":" in address
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    number = socket.IPPROTO_SCTP if protocol == "SCTP" else 0
    listener = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind, number)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if six:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
    listener.bind((address or "::", int(port)))
    if kind == socket.SOCK_STREAM:
        listener.listen(16)
    else:
        for level, option in ((socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)):
            with suppress(OSError):
                listener.setsockopt(level, option, 1)
    return listener


def main() -> None:
    kept = []
    selector = selectors.DefaultSelector()
    for word in sys.argv[1:]:
        selector.register(opened(word), selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            listener = key.fileobj
            if listener.type == socket.SOCK_STREAM:
                kept.append(listener.accept())
                continue
            with suppress(OSError):
                data, ancillary, _, peer = listener.recvmsg(65535, 256)
                listener.sendmsg([data], ancillary, 0, peer)


if __name__ == "__main__":
    main()
