"""Walks of a flow through a modelled network: there and back, every branch, with a verdict and its reason."""
