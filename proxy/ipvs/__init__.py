"""The ipvs mode: plans into virtual servers, IP sets, addresses of kube-ipvs0 and iptables rules around them.

IPVS balances; it cannot masquerade, and takes only what the node takes for its own. So every virtual address stands on a
dummy device, and the rules of iptables mark what is to be masqueraded, by the sets in which a destination is.
Ref: pkg/proxy/ipvs/proxier.go (v1.37)

    claims          what one service port asks for; pure
    counted         members that several service ports may ask for
    termination     real servers that go while connections to them last
    backend         keeps what is programmed, and applies what changed
    iptables_rules  the rules; they depend on which sets have members
    sync            what one sync did, and the text of all that is programmed
"""
