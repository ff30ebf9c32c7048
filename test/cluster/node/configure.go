package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

type object = map[string]any

// configure writes what the node's programs read: JSON, which is YAML too, and
// containerd's TOML.
func (m *machine) configure() error {
	resolv := filepath.Join(m.dir, "resolv.conf")
	for file, content := range map[string]object{
		"/etc/cni/net.d/10-pods.conflist":       m.pods(),
		filepath.Join(m.dir, "kubelet.json"):    m.kubelet(resolv),
		filepath.Join(m.dir, "kube-proxy.json"): m.proxy(),
	} {
		data, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	// Pods know the cluster's names only: tests ask nobody else.
	if err := os.WriteFile(resolv, nil, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, "containerd.toml"), []byte(m.containerd()), 0o600)
}

func (m *machine) kubelet(resolv string) object {
	name := plan.NodeName(m.index)
	pki := func(file string) string { return m.plan.File("pki", file) }
	var dns []string
	for _, ip := range m.plan.DNS() {
		dns = append(dns, ip.String())
	}
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"address":    m.plan.Node(m.index)[0].Addr().String(),
		"authentication": object{
			"anonymous": object{"enabled": false}, "webhook": object{"enabled": true}, "x509": object{"clientCAFile": pki("ca.crt")},
		},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              pki(name + "-serving.crt"),
		"tlsPrivateKeyFile":        pki(name + "-serving.key"),
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/" + fmt.Sprint(plan.Cgroup, m.index),
		"cgroupsPerQOS":            true,
		"enforceNodeAllocatable":   []string{"pods"},
		// Machines with cgroup 1, or both, are machines too.
		"failCgroupV1":                false,
		"failSwapOn":                  false,
		"makeIPTablesUtilChains":      false,
		"clusterDomain":               plan.Domain,
		"clusterDNS":                  dns,
		"resolvConf":                  resolv,
		"volumePluginDir":             filepath.Join(m.dir, "volume-plugins"),
		"imageGCHighThresholdPercent": 100,
		"evictionHard":                object{"memory.available": "100Mi"},
		"maxPods":                     250,
		"healthzBindAddress":          "127.0.0.1",
		// Minutes by default: tests kill the same container over and over.
		"crashLoopBackOff": object{"maxContainerRestartPeriod": "2s"},
	}
}

func (m *machine) proxy() object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clientConnection":   object{"kubeconfig": m.plan.Kubeconfig("kube-proxy")},
		"clusterCIDR":        m.prefixes(),
		"hostnameOverride":   plan.NodeName(m.index),
		"metricsBindAddress": "127.0.0.1:10249",
		"healthzBindAddress": "127.0.0.1:10256",
		// One second by default: tests wait for it over and over.
		"nftables": object{"minSyncPeriod": "100ms", "syncPeriod": "30s"},
		// The table of connections is the machine's; a namespace cannot set it.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

// containerd returns its configuration. restrict_oom_score_adj is for machines
// that have no CAP_SYS_RESOURCE to give.
func (m *machine) containerd() string {
	const runtime = "plugins.'io.containerd.cri.v1.runtime'"
	lines := []string{
		"version = 3",
		`root = "/var/lib/containerd"`,
		`state = "/run/containerd"`,
		"[grpc]",
		`address = "/run/containerd/containerd.sock"`,
		"[plugins.'io.containerd.internal.v1.opt']",
		setting("path", filepath.Join(m.dir, "opt")),
		"[plugins.'io.containerd.nri.v1.nri']",
		"disable = true",
		"[plugins.'io.containerd.cri.v1.images'.pinned_images]",
		setting("sandbox", "localhost/pause:dev"),
		"[" + runtime + "]",
		"restrict_oom_score_adj = true",
		"[" + runtime + ".containerd]",
		setting("default_runtime_name", "runc"),
		"[" + runtime + ".containerd.runtimes.runc]",
		setting("runtime_type", "io.containerd.runc.v2"),
		"[" + runtime + ".containerd.runtimes.runc.options]",
		setting("BinaryName", m.plan.Program("runc")),
		"SystemdCgroup = false",
		"[" + runtime + ".cni]",
		`bin_dirs = [` + quote(m.plan.Bin) + `]`,
		setting("conf_dir", "/etc/cni/net.d"),
	}
	return strings.Join(lines, "\n") + "\n"
}

func setting(key, value string) string { return key + " = " + quote(value) }

// quote writes a TOML string: JSON's strings are a subset of its basic ones.
func quote(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // A string is always JSON.
	}
	return string(data)
}
