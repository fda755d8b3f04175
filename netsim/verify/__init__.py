"""The model against the running kernel: the same topology from real namespaces, the same packets, and a comparison."""
