"""KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1): values, fields, reading and validation."""
