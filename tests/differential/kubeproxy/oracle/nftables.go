package nftables

import (
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	"sigs.k8s.io/knftables"
)

// ForOracle takes the proxier off the machine: no conntrack, no sockets, the given nftables and addresses.
func (proxier *Proxier) ForOracle(nft knftables.Interface, network proxyutil.NetworkInterfacer) *Proxier {
	proxier.nftables = nft
	proxier.conntrack = conntrack.NewFake()
	proxier.serviceHealthServer = healthcheck.NewFakeServiceHealthServer()
	proxier.networkInterfacer = network
	return proxier
}

// SyncForOracle syncs now.
func (proxier *Proxier) SyncForOracle() error { return proxier.syncProxyRules() }
