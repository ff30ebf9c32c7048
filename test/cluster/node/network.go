package node

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// network gives the node its addresses and the ways to the pods of the others.
// It runs before the reaper does, so it may wait for its own processes.
func (m *machine) network() error {
	if err := m.forward(); err != nil {
		return err
	}
	commands := [][]string{{"link", "set", "lo", "up"}}
	for _, address := range m.plan.Node(m.index) {
		commands = append(commands, address4or6(address.String(), address.Addr().Is6()))
	}
	commands = append(commands, []string{"link", "set", "eth0", "up"})
	for _, host := range m.plan.Host() {
		commands = append(commands, []string{"route", "add", everything(host.Addr().Is4()), "via", host.Addr().String(), "dev", "eth0"})
	}
	for _, arguments := range append(commands, m.others()...) {
		if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil { //nolint:gosec // Arguments of our own.
			return fmt.Errorf("ip %s: %w: %s", strings.Join(arguments, " "), err, out)
		}
	}
	return nil
}

func address4or6(address string, is6 bool) []string {
	arguments := []string{"addr", "add", address, "dev", "eth0"}
	if is6 {
		arguments = append(arguments, "nodad")
	}
	return arguments
}

func everything(is4 bool) string {
	if is4 {
		return "0.0.0.0/0"
	}
	return "::/0"
}

// forward lets the node pass on packets for its pods. The settings are those of
// its own namespace.
func (m *machine) forward() error {
	files := []string{"/proc/sys/net/ipv4/ip_forward"}
	if m.plan.DualStack {
		files = append(files, "/proc/sys/net/ipv6/conf/all/forwarding")
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte("1"), 0o600); err != nil {
			return fmt.Errorf("forwarding: %w", err)
		}
	}
	return nil
}

// others returns the routes to the pods of the other nodes.
func (m *machine) others() [][]string {
	var commands [][]string
	for i := 1; i <= m.plan.Nodes; i++ {
		if i == m.index {
			continue
		}
		vias := m.plan.Node(i)
		for family, pods := range m.plan.NodePods(i) {
			commands = append(commands, []string{"route", "add", pods.String(), "via", vias[family].Addr().String(), "dev", "eth0"})
		}
	}
	return commands
}

// pods is the configuration of the network that pods get, for CNI.
func (m *machine) pods() object {
	var ranges [][]object
	var routes []object
	for _, prefix := range m.plan.NodePods(m.index) {
		ranges = append(ranges, []object{{"subnet": prefix.String()}})
		routes = append(routes, object{"dst": everything(prefix.Addr().Is4())})
	}
	return object{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false, "mtu": 1400,
				"ipam": object{"type": "host-local", "ranges": ranges, "routes": routes},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}, "backend": "nftables", "snat": true},
		},
	}
}

// prefixes is a range of every family, for kube-proxy.
func (m *machine) prefixes() string { return plan.Prefixes(m.plan.Pods()) }
