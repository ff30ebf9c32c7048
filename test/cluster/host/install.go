package host

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// manifests are the objects that are the same in every cluster.
//
//go:embed manifests/*.yaml
var manifests embed.FS

type object = map[string]any

// install puts MetalLB and the cluster's DNS into the cluster.
func (c *cluster) install(ctx context.Context) error {
	if err := c.until(ctx, c.asks("apply", "--server-side", "-f", c.plan.CRDs)); err != nil {
		return err
	}
	for _, file := range []string{"metallb.yaml", "coredns.yaml"} {
		data, err := manifests.ReadFile("manifests/" + file)
		if err != nil {
			return err
		}
		if err := c.apply(ctx, data); err != nil {
			return err
		}
	}
	if err := c.applyObject(ctx, dnsService(c.plan)); err != nil {
		return err
	}
	if err := c.until(ctx, c.asks("wait", "--for=condition=Established", "crd/ipaddresspools.metallb.io", "--timeout=5s")); err != nil {
		return err
	}
	for _, pool := range pools(c.plan) {
		if err := c.applyObject(ctx, pool); err != nil {
			return err
		}
	}
	return c.startAll("metallb")
}

// apply tries again while the API server does not know yet what it was told of a
// moment ago.
func (c *cluster) apply(ctx context.Context, data []byte) error {
	return c.until(ctx, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, bytes.NewReader(data), "apply", "--server-side", "-f", "-")
		return err
	})
}

func (c *cluster) applyObject(ctx context.Context, o object) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return c.apply(ctx, data)
}

// pools returns the pool for every Service that asks for an address, and the one
// for those that ask for a certain address.
func pools(p plan.Plan) []object {
	return []object{pool("default", p.LoadBalancers(), true), pool("static", p.Static(), false)}
}

func pool(name string, prefixes []netip.Prefix, auto bool) object {
	var addresses []string
	for _, prefix := range prefixes {
		addresses = append(addresses, plan.Range(prefix))
	}
	return object{
		"apiVersion": "metallb.io/v1beta1",
		"kind":       "IPAddressPool",
		"metadata":   object{"name": name, "namespace": "metallb-system"},
		"spec":       object{"addresses": addresses, "autoAssign": auto, "avoidBuggyIPs": true},
	}
}

// dnsService has the addresses that every pod's resolv.conf names.
func dnsService(p plan.Plan) object {
	var ips []string
	for _, ip := range p.DNS() {
		ips = append(ips, fmt.Sprint(ip))
	}
	return object{
		"apiVersion": "v1",
		"kind":       "Service",
		"metadata":   object{"name": "kube-dns", "namespace": "kube-system"},
		"spec": object{
			"clusterIP": ips[0], "clusterIPs": ips, "ipFamilyPolicy": familyPolicy(p),
			"selector": object{"k8s-app": "kube-dns"},
			"ports": []object{
				{"name": "dns", "port": 53, "protocol": "UDP"},
				{"name": "dns-tcp", "port": 53, "protocol": "TCP"},
			},
		},
	}
}

func familyPolicy(p plan.Plan) string {
	if p.DualStack {
		return "RequireDualStack"
	}
	return "SingleStack"
}
