"""An emulated kube-proxy 1.37: from Service and EndpointSlice watches to the rules that it programs."""
