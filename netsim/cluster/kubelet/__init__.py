"""The kubelets of all nodes, with their runtime and their CNI plugin."""
