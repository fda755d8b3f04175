package ipvs

import (
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
)

// ForOracle takes the proxier off the machine: no conntrack, no sockets, the given devices and addresses.
func (proxier *Proxier) ForOracle(netlink NetLinkHandle, network proxyutil.NetworkInterfacer) *Proxier {
	proxier.netlinkHandle = netlink
	proxier.conntrack = conntrack.NewFake()
	proxier.serviceHealthServer = healthcheck.NewFakeServiceHealthServer()
	proxier.networkInterfacer = network
	return proxier
}

// SyncForOracle syncs now.
func (proxier *Proxier) SyncForOracle() error { return proxier.syncProxyRules() }
