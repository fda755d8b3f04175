"""How often a host sends redirects: by sender, and in IPv6 by destination too.

Ref: net/ipv4/route.c:ip_rt_send_redirect(), net/ipv4/inetpeer.c:inet_peer_xrlim_allow() (v6.12).
"""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address

LOAD_S, NUMBER, SILENCE_S = 0.02, 9, 0.02 * 2**10
"""``ip_rt_redirect_load``, ``_number``, ``_silence``: the next redirect waits twice as long as the last, nine go unheeded."""

BURST, PER_S = 6, 1.0
"""``XRLIM_BURST_FACTOR``, and how many redirects a second IPv6 allows."""


@dataclass(slots=True)
class InetPeers:
    """Whom a host redirected: when last and how often (IPv4), and how many redirects are left (IPv6)."""

    redirected: dict[Address, tuple[float, int]] = field(default_factory=dict)
    tokens: dict[Address, tuple[float, float]] = field(default_factory=dict)

    def redirects(self, sender: Address, now: float) -> bool:
        """Whether a sender is redirected (again) at this time."""
        last, count = self.redirected.get(sender, (now, 0))
        if now > last + SILENCE_S:
            count = 0
        allowed = count < NUMBER and (count == 0 or now > last + LOAD_S * 2**count)
        if allowed:
            self.redirected[sender] = (now, count + 1)
        elif count >= NUMBER:
            self.redirected[sender] = (now, count)
        return allowed

    def allow(self, peer: Address, now: float) -> bool:
        """A token of a peer's bucket."""
        last, left = self.tokens.get(peer, (now, float(BURST)))
        left = min(float(BURST), left + (now - last) * PER_S)
        self.tokens[peer] = (now, left - 1 if left >= 1 else left)
        return left >= 1
