package plan

import (
	"fmt"
	"net/netip"
	"path/filepath"
)

// MaxNodes is how many nodes a cluster may have.
const MaxNodes = 3

// Plan is one cluster, as it is handed from the program that starts it to those
// that run it.
type Plan struct {
	// Dir is where the cluster's state is. It goes when the cluster stops.
	Dir string
	// Bin and Images are where the built programs and the system's images are.
	Bin, Images string
	// CRDs is the folder with MetalLB's CustomResourceDefinitions.
	CRDs string
	// Nodes is 0 to 3. Without nodes there are objects, and no pods.
	Nodes int
	// DualStack adds IPv6 to everything that has an address.
	DualStack bool
	// Attached ends the cluster when the standard input of its process does.
	Attached bool
}

// Check says what is wrong with a plan that a caller asks for.
func (p Plan) Check() error {
	if p.Nodes < 0 || p.Nodes > MaxNodes {
		return fmt.Errorf("a cluster of %d nodes: it may have 0 (control plane only) to %d", p.Nodes, MaxNodes)
	}
	if !filepath.IsAbs(p.Dir) {
		return fmt.Errorf("the state folder %q is relative: give an absolute one", p.Dir)
	}
	return nil
}

// The addresses are fixed, so that a log or a capture reads the same every time.
// Two clusters at once on one machine would meet; a lock keeps the second out.
const (
	// Bridge is the host's end of the network between it and the nodes.
	Bridge = "sluice-test"
	// Cgroup is what the names of the nodes' cgroups begin with.
	Cgroup = "sluice-test-node"
	// APIServer is where the API server listens.
	APIServer = "https://10.200.0.1:6443"
	// Domain is the DNS domain of Services.
	Domain = "cluster.local"
)

var (
	hosts    = pair{"10.200.0.1/24", "fd53:1ce:0:200::1/64"}
	pods     = pair{"10.244.0.0/16", "fd53:1ce:0:1000::/52"}
	services = pair{"10.96.0.0/16", "fd53:1ce:0:96::/112"}
	dns      = pair{"10.96.0.10/32", "fd53:1ce:0:96::a/128"}
	balancer = pair{"10.97.0.0/24", "fd53:1ce:0:97::/120"}
	static   = pair{"10.97.1.0/28", "fd53:1ce:0:98::/124"}
)

// pair is one prefix of each family.
type pair [2]string

func (p Plan) of(both pair) []netip.Prefix {
	prefixes := []netip.Prefix{netip.MustParsePrefix(both[0])}
	if p.DualStack {
		prefixes = append(prefixes, netip.MustParsePrefix(both[1]))
	}
	return prefixes
}

// Host returns the host's addresses on the bridge, with the bridge's length.
func (p Plan) Host() []netip.Prefix { return p.of(hosts) }

// Pods returns what all pod addresses are in.
func (p Plan) Pods() []netip.Prefix { return p.of(pods) }

// Services returns the ranges of cluster IPs.
func (p Plan) Services() []netip.Prefix { return p.of(services) }

// DNS returns the addresses of the cluster's DNS.
func (p Plan) DNS() []netip.Addr { return addresses(p.of(dns)) }

// LoadBalancers returns the pool that MetalLB gives addresses from.
func (p Plan) LoadBalancers() []netip.Prefix { return p.of(balancer) }

// Static returns the pool whose addresses are given only where a Service asks
// for one by the annotation metallb.io/loadBalancerIPs.
func (p Plan) Static() []netip.Prefix { return p.of(static) }

// NodeName is the name of node i, which counts from 1.
func NodeName(i int) string { return fmt.Sprintf("node%d", i) }

// Link is the name of the host's end of node i's link.
func Link(i int) string { return fmt.Sprintf("%s%d", Bridge, i) }

// Node returns the addresses of node i, with the bridge's length.
func (p Plan) Node(i int) []netip.Prefix {
	return p.of(pair{fmt.Sprintf("10.200.0.1%d/24", i), fmt.Sprintf("fd53:1ce:0:200::1%d/64", i)})
}

// NodePods returns the ranges of the pods on node i.
func (p Plan) NodePods(i int) []netip.Prefix {
	return p.of(pair{fmt.Sprintf("10.244.%d.0/24", i), fmt.Sprintf("fd53:1ce:0:100%d::/64", i)})
}

// Routed returns what the host reaches through whichever node is up.
func (p Plan) Routed() []netip.Prefix {
	routed := p.Services()
	routed = append(routed, p.LoadBalancers()...)
	return append(routed, p.Static()...)
}

// ServerNames returns the names and addresses of the API server's certificate.
func (p Plan) ServerNames() ([]string, []netip.Addr) {
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + Domain}
	ips := append(addresses(p.Host()), netip.MustParseAddr("127.0.0.1"))
	for _, s := range p.Services() {
		ips = append(ips, s.Addr().Next())
	}
	return names, ips
}

// Range returns the addresses of a prefix but its first, as MetalLB reads them:
// with IPv6 the first one means every router.
func Range(prefix netip.Prefix) string {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < prefix.Addr().BitLen(); bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return fmt.Sprintf("%s-%s", prefix.Masked().Addr().Next(), last)
}

func addresses(prefixes []netip.Prefix) []netip.Addr {
	addrs := make([]netip.Addr, len(prefixes))
	for i, p := range prefixes {
		addrs[i] = p.Addr()
	}
	return addrs
}

// Addresses returns the addresses of prefixes as text, with commas between.
func Addresses(prefixes []netip.Prefix) string { return list(addresses(prefixes)) }

// Prefixes returns prefixes as text, with commas between.
func Prefixes(prefixes []netip.Prefix) string { return list(prefixes) }
