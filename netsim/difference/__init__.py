"""What changes between two topologies: which flows, and by which object. ``netsim diff`` prints it."""
