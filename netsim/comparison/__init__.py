"""kube-proxy's modes side by side: for one flow, for a whole cluster, and what each costs. ``netsim compare`` prints it."""
