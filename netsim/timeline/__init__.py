"""Timelines: a cluster under the virtual clock, with changes, misfortunes and packets at given times. ``netsim run`` reads them."""
