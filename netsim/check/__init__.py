"""Expectations: who should reach whom, how, and whether that holds. ``netsim check`` and the pytest plugin read them."""
