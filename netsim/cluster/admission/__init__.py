"""Admission: the chain that every new object of a user or a controller goes through; any link may change it, and any may refuse it."""

from netsim.cluster.admission.chain import CHAIN, Admission, admit
from netsim.cluster.admission.namespace import IMMORTAL_NAMESPACES

__all__ = ["CHAIN", "IMMORTAL_NAMESPACES", "Admission", "admit"]
