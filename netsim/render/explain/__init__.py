"""Every reason explained: what happens in Linux or Kubernetes, how to see it on a real node, how to mend it."""
