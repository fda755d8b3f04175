"""What the programs of a pod network make of a node: the CNI plugin ``bridge``, and flannel around it."""
