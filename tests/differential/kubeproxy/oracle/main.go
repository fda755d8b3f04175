// Command netsim-oracle runs kube-proxy's own proxiers on cases: see tests/differential/kubeproxy/oracle/README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sysctltest "k8s.io/component-helpers/node/util/sysctl/testing"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	kubeproxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
	"k8s.io/kubernetes/pkg/proxy/iptables"
	"k8s.io/kubernetes/pkg/proxy/ipvs"
	ipsettest "k8s.io/kubernetes/pkg/proxy/ipvs/ipset/testing"
	netlinktest "k8s.io/kubernetes/pkg/proxy/ipvs/testing"
	utilipvs "k8s.io/kubernetes/pkg/proxy/ipvs/util"
	ipvstest "k8s.io/kubernetes/pkg/proxy/ipvs/util/testing"
	"k8s.io/kubernetes/pkg/proxy/nftables"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	proxyutiltest "k8s.io/kubernetes/pkg/proxy/util/testing"
	utiliptables "k8s.io/kubernetes/pkg/util/iptables"
	iptablestest "k8s.io/kubernetes/pkg/util/iptables/testing"
	utilnode "k8s.io/kubernetes/pkg/util/node"
	netutils "k8s.io/utils/net"
	"sigs.k8s.io/knftables"
	"sigs.k8s.io/yaml"
)

type key struct{ Kind, Namespace, Name string }

type step struct {
	Delete []key             `json:"delete"`
	Apply  []json.RawMessage `json:"apply"`
}

type testCase struct {
	Node         v1.Node         `json:"node"`
	ServiceCIDRs []string        `json:"serviceCIDRs"`
	KubeProxy    json.RawMessage `json:"kubeProxy"`
	Sysctls      map[string]int  `json:"sysctls"`
}

// proxier is what this program needs of each of the three.
type proxier interface {
	OnServiceAdd(*v1.Service)
	OnServiceUpdate(old, new *v1.Service)
	OnServiceDelete(*v1.Service)
	OnServiceSynced()
	OnEndpointSliceAdd(*discovery.EndpointSlice)
	OnEndpointSliceUpdate(old, new *discovery.EndpointSlice)
	OnEndpointSliceDelete(*discovery.EndpointSlice)
	OnEndpointSlicesSynced()
	OnTopologyChange(map[string]string)
	OnServiceCIDRsChanged([]string)
	SyncForOracle() error
}

// instance is a proxier of one family and how to write what it programmed: extension to text.
type instance struct {
	proxier
	write func(first bool) map[string]string
}

func main() {
	klog.InitFlags(nil)
	_ = flag.Set("logtostderr", "false")
	_ = flag.Set("stderrthreshold", "FATAL")
	flag.Parse()
	klog.SetOutput(bytes.NewBuffer(nil))
	folders := bufio.NewScanner(os.Stdin)
	for folders.Scan() {
		words := strings.Fields(folders.Text())
		if err := run(words[0], words[1]); err != nil {
			fmt.Printf("%s %s error %v\n", words[0], words[1], strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Printf("%s %s done\n", words[0], words[1])
		}
	}
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}

func run(folder, mode string) error {
	ctx := context.Background()
	var c testCase
	if err := read(filepath.Join(folder, "case.yaml"), &c); err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(c.KubeProxy, &config); err != nil {
		return err
	}
	config["mode"] = mode
	text, _ := json.Marshal(config)
	addresses := c.Node.Status.Addresses
	if override, ok := config["hostnameOverride"].(string); ok && override != "" && override != c.Node.Name {
		c.Node = v1.Node{ObjectMeta: metav1.ObjectMeta{Name: override}}
	}
	nodeIPs, err := utilnode.GetNodeHostIPs(&c.Node)
	if err != nil {
		nodeIPs = nil
	}
	oracle, err := app.NewOracle(ctx, text, nodeIPs, c.Node.Spec.PodCIDRs)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	instances := map[string]*instance{}
	for _, family := range []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol} {
		has := false
		for _, address := range addresses {
			has = has || (family == v1.IPv6Protocol) == netutils.IsIPv6String(address.Address)
		}
		if !has && (len(addresses) > 0 || family != oracle.Primary) {
			continue
		}
		made, err := newInstance(ctx, oracle, &c, addresses, mode, family)
		if err != nil {
			return err
		}
		instances[strings.ToLower(string(family))] = made
	}
	return replay(folder, mode, &c, instances)
}

func replay(folder, mode string, c *testCase, instances map[string]*instance) error {
	services := map[string]metav1.Object{}
	slices := map[string]metav1.Object{}
	paths, err := filepath.Glob(filepath.Join(folder, "step-??.yaml"))
	if err != nil {
		return err
	}
	sort.Strings(paths)
	labels := map[string]string{}
	if zone, ok := c.Node.Labels[v1.LabelTopologyZone]; ok {
		labels[v1.LabelTopologyZone] = zone
	}
	for _, one := range instances {
		one.OnTopologyChange(labels)
		one.OnServiceCIDRsChanged(c.ServiceCIDRs)
	}
	for number, path := range paths {
		var s step
		if err := read(path, &s); err != nil {
			return err
		}
		for _, gone := range s.Delete {
			name := gone.Namespace + "/" + gone.Name
			if gone.Kind == "Service" {
				seen(services, name, nil, instances)
			} else if gone.Kind == "EndpointSlice" {
				seen(slices, name, nil, instances)
			}
		}
		for _, raw := range s.Apply {
			if err := apply(raw, services, slices, instances); err != nil {
				return err
			}
		}
		for family, one := range instances {
			if number == 0 {
				one.OnServiceSynced()
				one.OnEndpointSlicesSynced()
			} else if err := one.SyncForOracle(); err != nil {
				return err
			}
			for extension, text := range one.write(number == 0) {
				name := fmt.Sprintf("step-%02d.%s.%s.%s", number, mode, family, extension)
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func apply(raw json.RawMessage, services, slices map[string]metav1.Object, instances map[string]*instance) error {
	var kind struct{ Kind string }
	if err := json.Unmarshal(raw, &kind); err != nil {
		return err
	}
	var object metav1.Object
	store := services
	switch kind.Kind {
	case "Service":
		object = &v1.Service{}
	case "EndpointSlice":
		object, store = &discovery.EndpointSlice{}, slices
	default:
		return nil
	}
	if err := json.Unmarshal(raw, object); err != nil {
		return err
	}
	seen(store, object.GetNamespace()+"/"+object.GetName(), object, instances)
	return nil
}

// seen hands out what informers would: cmd/kube-proxy/app/server.go lists and watches what has neither of these labels.
func seen(store map[string]metav1.Object, name string, object metav1.Object, instances map[string]*instance) {
	switch object.(type) {
	case *v1.Service:
		if _, another := object.GetLabels()["service.kubernetes.io/service-proxy-name"]; another {
			object = nil
		}
	case *discovery.EndpointSlice:
		if _, headless := object.GetLabels()[v1.IsHeadlessService]; headless {
			object = nil
		}
	}
	old := store[name]
	for _, one := range instances {
		tell(one, old, object)
	}
	if object == nil {
		delete(store, name)
	} else {
		store[name] = object
	}
}

func tell(one *instance, old, object metav1.Object) {
	subject := object
	if subject == nil {
		subject = old
	}
	switch subject := subject.(type) {
	case *v1.Service:
		if old == nil {
			one.OnServiceAdd(subject)
		} else if object == nil {
			one.OnServiceDelete(subject)
		} else {
			one.OnServiceUpdate(old.(*v1.Service), subject)
		}
	case *discovery.EndpointSlice:
		if old == nil {
			one.OnEndpointSliceAdd(subject)
		} else if object == nil {
			one.OnEndpointSliceDelete(subject)
		} else {
			one.OnEndpointSliceUpdate(old.(*discovery.EndpointSlice), subject)
		}
	}
}

func newInstance(ctx context.Context, oracle *app.Oracle, c *testCase, own []v1.NodeAddress, mode string, family v1.IPFamily) (*instance, error) {
	sysctl := sysctltest.NewFake()
	for name, value := range c.Sysctls {
		_ = sysctl.SetSysctl(strings.ReplaceAll(name, ".", "/"), value)
	}
	network := proxyutiltest.NewFakeNetwork()
	loopback, eth0 := net.Interface{Index: 1, Name: "lo"}, net.Interface{Index: 2, Name: "eth0"}
	network.AddInterfaceAddr(&loopback, []net.Addr{
		&net.IPNet{IP: net.ParseIP("127.0.0.1"), Mask: net.CIDRMask(8, 32)},
		&net.IPNet{IP: net.ParseIP("::1"), Mask: net.CIDRMask(128, 128)},
	})
	var addresses []net.Addr
	var texts []string
	for _, address := range own {
		ip := net.ParseIP(address.Address)
		if ip == nil {
			continue
		}
		texts = append(texts, address.Address)
		if netutils.IsIPv4(ip) {
			addresses = append(addresses, &net.IPNet{IP: ip, Mask: net.CIDRMask(24, 32)})
		} else {
			addresses = append(addresses, &net.IPNet{IP: ip, Mask: net.CIDRMask(64, 128)})
		}
	}
	network.AddInterfaceAddr(&eth0, addresses)
	detector, nodeIP, name := oracle.Detectors[family], oracle.NodeIPs[family], c.Node.Name
	switch kubeproxyconfig.ProxyMode(mode) {
	case kubeproxyconfig.ProxyModeIPTables:
		ipt := newIPTables(family)
		p, err := iptables.NewProxier(ctx, oracle.Config, family, ipt, sysctl, detector, name, nodeIP, nil, nil, false)
		if err != nil {
			return nil, err
		}
		return &instance{p.ForOracle(network), func(first bool) map[string]string {
			files := map[string]string{"rules": ipt.rules()}
			if !first {
				files["restore"] = ipt.taken()
			}
			ipt.sent.Reset()
			return files
		}}, nil
	case kubeproxyconfig.ProxyModeNFTables:
		nft := &recordingNFT{Fake: knftables.NewFake(nftFamily(family), "kube-proxy")}
		p, err := nftables.NewProxier(ctx, oracle.Config, family, detector, name, nodeIP, nil, nil, false)
		if err != nil {
			return nil, err
		}
		return &instance{p.ForOracle(nft, network), func(first bool) map[string]string {
			files := map[string]string{"nft": nft.Dump()}
			if !first {
				files["transaction"] = nft.sent.String()
			}
			nft.sent.Reset()
			return files
		}}, nil
	default:
		return newIPVS(ctx, oracle, sysctl, detector, name, nodeIP, family, network, texts)
	}
}

func newIPVS(ctx context.Context, oracle *app.Oracle, sysctl *sysctltest.Fake, detector proxyutil.LocalTrafficDetector, name string,
	nodeIP net.IP, family v1.IPFamily, network proxyutil.NetworkInterfacer, addresses []string) (*instance, error) {
	ipt, servers, sets := newIPTables(family), ipvstest.NewFake(), ipsettest.NewFake("6.34")
	netlink := netlinktest.NewFakeNetlinkHandle(family == v1.IPv6Protocol)
	_ = netlink.SetLocalAddresses("eth0", addresses...)
	_ = netlink.SetLocalAddresses("lo", "127.0.0.1", "::1")
	p, err := ipvs.NewProxier(ctx, oracle.Config, family, ipt, servers, sets, sysctl, detector, name, nodeIP, nil, nil, false)
	if err != nil {
		return nil, err
	}
	return &instance{p.ForOracle(netlink, network), func(bool) map[string]string {
		bound, _ := netlink.ListBindAddress("kube-ipvs0")
		bound = append([]string(nil), bound...)
		sort.Strings(bound)
		return map[string]string{
			"rules": ipt.rules(), "ipvsadm": virtualServers(servers), "ipset": ipSets(sets), "addresses": lines(bound),
		}
	}}, nil
}

func lines(of []string) string {
	if len(of) == 0 {
		return ""
	}
	return strings.Join(of, "\n") + "\n"
}

func ipSets(fake *ipsettest.FakeIPSet) string {
	var entries []string
	for set, members := range fake.Entries {
		for member := range members {
			entries = append(entries, fmt.Sprintf("add %s %s", set, member))
		}
	}
	sort.Strings(entries)
	return lines(entries)
}

func virtualServers(fake *ipvstest.FakeIPVS) string {
	type listed struct{ key, text string }
	var all []listed
	servers, _ := fake.GetVirtualServers()
	options := map[string]string{"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
	for _, server := range servers {
		at := net.JoinHostPort(server.Address.String(), fmt.Sprint(server.Port))
		option := options[strings.ToUpper(server.Protocol)]
		text := fmt.Sprintf("-A %s %s -s %s", option, at, server.Scheduler)
		if server.Flags&utilipvs.FlagPersistent != 0 {
			text += fmt.Sprintf(" -p %d", server.Timeout)
		}
		if server.Flags&utilipvs.FlagSourceHash != 0 {
			text += " -b flag-1"
		}
		real, _ := fake.GetRealServers(server)
		var members []string
		for _, one := range real {
			members = append(members, fmt.Sprintf("-a %s %s -r %s -m -w %d", option, at, one.String(), one.Weight))
		}
		sort.Strings(members)
		all = append(all, listed{option + " " + at, text + "\n" + lines(members)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].key < all[j].key })
	var text strings.Builder
	for _, one := range all {
		text.WriteString(one.text)
	}
	return text.String()
}

func nftFamily(family v1.IPFamily) knftables.Family {
	if family == v1.IPv6Protocol {
		return knftables.IPv6Family
	}
	return knftables.IPv4Family
}

// recordingNFT keeps the text of what was run.
type recordingNFT struct {
	*knftables.Fake
	sent strings.Builder
}

func (nft *recordingNFT) Run(ctx context.Context, tx *knftables.Transaction) error {
	nft.sent.WriteString(tx.String())
	return nft.Fake.Run(ctx, tx)
}

// recordingIPTables keeps the text of what was restored.
type recordingIPTables struct {
	*iptablestest.FakeIPTables
	sent bytes.Buffer
}

func newIPTables(family v1.IPFamily) *recordingIPTables {
	if family == v1.IPv6Protocol {
		return &recordingIPTables{FakeIPTables: iptablestest.NewIPv6Fake()}
	}
	return &recordingIPTables{FakeIPTables: iptablestest.NewFake()}
}

func (ipt *recordingIPTables) RestoreAll(data []byte, flush utiliptables.FlushFlag, counters utiliptables.RestoreCountersFlag) error {
	ipt.sent.Write(data)
	return ipt.FakeIPTables.RestoreAll(data, flush, counters)
}

func (ipt *recordingIPTables) taken() string { return ipt.sent.String() }

func (ipt *recordingIPTables) rules() string {
	var text bytes.Buffer
	_ = ipt.SaveInto("", &text)
	return text.String()
}
