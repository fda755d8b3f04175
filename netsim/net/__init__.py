"""Values of the network: addresses, MACs and packet headers. Frozen, without behaviour beyond themselves."""
