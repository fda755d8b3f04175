"""Typed packet-filter rules: the one language between the proxy and the modelled Linux."""
