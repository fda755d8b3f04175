"""An emulated kube-proxy 1.37: from Service and EndpointSlice watches to the rules that it programs.

Theory of operation
-------------------
    watches → watch.ObjectFeed → server.KubeProxy → proxier.Proxier (one for each family of the node)
                                                      planner.Planner → plan.PlanUpdate → a backend → its sync's result

1. Objects come in whole, as they stand now. ``service_changes`` and ``endpoint_changes`` collect them until the next sync;
   what was taken back meanwhile is no change. ``service_port`` and ``endpoint`` say what a proxier keeps of them.
2. A sync first asks ``Planner.advance``: it applies the changes and makes one ``plan.ServicePlan`` for each service port of
   each Service that changed (of all of them in a full sync). A plan holds every decision that is common to the modes:
   which endpoints serve policy Cluster and policy Local (``categorize``), what is refused and how, whose sources pass.
3. The backend of the mode turns plans into text. It keeps what it programmed, so that a partial sync writes only what
   changed. Backends: ``iptables.backend``, ``ipvs.backend``, ``nftables.backend``.
   Everything that is the same for a whole run (configuration, node) is resolved into the backend's settings before:
   ``local_detector``, ``node_port_addresses``, ``node``, ``config``.

There is no clock, no chance and no I/O. Times are nanoseconds of the caller's; ``runner`` says when a sync is due.
Text is in the order of the service ports' names where kube-proxy's is in the order of a Go map, that is, in none.
"""
