"""What is wired to what: network namespaces, devices, addresses, routes, rules and listeners."""
