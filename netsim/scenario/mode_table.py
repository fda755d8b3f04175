"""Every row of ``mode_differences``: what nftables and ipvs mode do otherwise than iptables mode, why, and who says so."""

from __future__ import annotations

from netsim.scenario.mode_row import Circumstance, Difference
from netsim.scenario.mode_rows_ipvs import IPVS_DIFFERENCES
from netsim.scenario.mode_rows_nftables import NFTABLES_DIFFERENCES

__all__ = ["DIFFERENCES", "Circumstance", "Difference"]

DIFFERENCES: tuple[Difference, ...] = (*NFTABLES_DIFFERENCES, *IPVS_DIFFERENCES)
