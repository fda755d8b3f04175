"""kube-scheduler: which nodes a pod fits on, and which of them it gets."""
