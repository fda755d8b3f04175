package iptables

import (
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
)

// ForOracle takes the proxier off the machine: no conntrack, no sockets, no nfacct, and the network's addresses as given.
func (proxier *Proxier) ForOracle(network proxyutil.NetworkInterfacer) *Proxier {
	proxier.conntrack = conntrack.NewFake()
	proxier.nfacct = nil
	proxier.serviceHealthServer = healthcheck.NewFakeServiceHealthServer()
	proxier.networkInterfacer = network
	return proxier
}

// SyncForOracle syncs now.
func (proxier *Proxier) SyncForOracle() error { return proxier.syncProxyRules() }
