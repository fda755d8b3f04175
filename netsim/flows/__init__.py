"""Classes of flows over a topology: which flows no rule, route or policy can tell apart, and what becomes of each class."""

from netsim.flows.classes import Classes, FlowClass
from netsim.flows.outcome import Outcome, Way, outcome_of
from netsim.flows.survey import Asked, Share, Surveyor

__all__ = ["Asked", "Classes", "FlowClass", "Outcome", "Share", "Surveyor", "Way", "outcome_of"]
