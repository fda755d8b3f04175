"""The embedded control plane: a store with list and watch, controllers, a scheduler, kubelets and address management.

Everything is synchronous and deterministic. ``netsim.cluster.controlplane.ControlPlane`` is the entry; its parts talk to
each other through the store alone, as those of Kubernetes do.
"""
