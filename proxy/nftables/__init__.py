"""The nftables mode: plans into transactions for ``nft -f``. Ref: pkg/proxy/nftables/proxier.go (v1.37).

Everything stands in one table ``kube-proxy`` for each family. Maps lead from a destination to a chain of its service port,
so that the number of Services does not count. A service port without affinity needs one chain, whose one rule picks an
endpoint and translates; with affinity each endpoint has a chain and a set of its clients.
"""
