"""Classes of flows over a topology: which flows no rule, route or policy can tell apart, and what becomes of each class."""

from netsim.flows.classes import Classes, FlowClass
from netsim.flows.outcome import Outcome, Way, outcome_of

__all__ = ["Classes", "FlowClass", "Outcome", "Way", "outcome_of"]
