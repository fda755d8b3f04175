package app

import (
	"context"
	"net"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	kubeproxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
	"k8s.io/kubernetes/pkg/proxy/apis/config/validation"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
)

// Oracle is what newProxyServer works out before it makes a proxier.
type Oracle struct {
	Config    *kubeproxyconfig.KubeProxyConfiguration
	Primary   v1.IPFamily
	NodeIPs   map[v1.IPFamily]net.IP
	Detectors map[v1.IPFamily]proxyutil.LocalTrafficDetector
}

// NewOracle reads a configuration as `kube-proxy --config` does.
func NewOracle(ctx context.Context, text []byte, nodeIPs []net.IP, podCIDRs []string) (*Oracle, error) {
	options := NewOptions()
	options.logger = klog.FromContext(ctx)
	config, err := options.loadConfig(text)
	if err != nil {
		return nil, err
	}
	options.platformApplyDefaults(config)
	if errs := validation.Validate(config); len(errs) != 0 {
		return nil, errs.ToAggregate()
	}
	primary, addresses := detectNodeIPs(ctx, nodeIPs, config.BindAddress)
	config.NodePortAddresses = expandNodePortAddressKeywords(config.NodePortAddresses, addresses)
	return &Oracle{
		Config: config, Primary: primary, NodeIPs: addresses,
		Detectors: getLocalDetectors(options.logger, primary, config, podCIDRs),
	}, nil
}
