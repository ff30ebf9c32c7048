package programs

import (
	"fmt"
	"path"
	"strings"
)

// Versions of what is built by name. The others are those of kube/go.mod,
// dns/go.mod and echo/go.mod, which modules with replacements need.
const (
	kubernetes = "1.36.3"
	runc       = "v1.4.2"
	containerd = "v2.3.7"
	cni        = "v1.9.1"
	metallb    = "v0.15.2"
)

// build is one call of the go command, and what comes out.
type build struct {
	name string
	// module is the folder whose go.mod decides about versions. Where it is
	// empty, the packages carry a version and decide themselves.
	module   string
	packages []string
	// output is the program's name where it is not the last part of the package.
	output  string
	tags    string
	ldflags string
	cgo     bool
	// rename is the name that a program built by version is to have.
	rename string
}

func recipe() []build {
	const kube = "k8s.io/kubernetes/cmd/"
	const containerdModule = "github.com/containerd/containerd/v2"
	const plugins = "github.com/containernetworking/plugins/plugins/"
	return []build{
		{
			name: "kubernetes", module: "kube", ldflags: kubernetesFlags(),
			packages: []string{
				kube + "kube-apiserver", kube + "kube-controller-manager", kube + "kube-scheduler",
				kube + "kubectl", kube + "kubelet", kube + "kube-proxy",
			},
		},
		{name: "etcd", module: "kube", packages: []string{"go.etcd.io/etcd/server/v3"}, output: "etcd"},
		{name: "coredns", module: "dns", packages: []string{"."}, output: "coredns", tags: "programs"},
		{name: "echo-basic", module: "echo", packages: []string{"sigs.k8s.io/gateway-api/conformance/echo-basic"}, output: "echo-basic"},
		{
			// Without seccomp the runtime refuses pods under the restricted
			// standard; its library and namespaces are the C in this cluster.
			name: "runc", cgo: true, tags: "seccomp", ldflags: "-X main.version=" + strings.TrimPrefix(runc, "v"),
			packages: []string{"github.com/opencontainers/runc@" + runc},
		},
		{
			name: "containerd", tags: "no_btrfs no_devmapper no_zfs no_aufs", ldflags: "-X " + containerdModule + "/version.Version=" + containerd,
			packages: versioned(containerdModule+"/cmd/", containerd, "containerd", "containerd-shim-runc-v2", "ctr"),
		},
		{name: "cni", packages: versioned(plugins, cni, "main/bridge", "main/loopback", "ipam/host-local", "meta/portmap")},
		{name: "metallb", packages: []string{"go.universe.tf/metallb/controller@" + metallb}, rename: "metallb"},
	}
}

func versioned(prefix, version string, names ...string) []string {
	var packages []string
	for _, name := range names {
		packages = append(packages, prefix+name+"@"+version)
	}
	return packages
}

// kubernetesFlags give the programs the version that they would have in a
// release; without it they call themselves v0.0.0, and refuse each other.
func kubernetesFlags() string {
	major, rest, _ := strings.Cut(kubernetes, ".")
	minor, _, _ := strings.Cut(rest, ".")
	var flags []string
	for _, in := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, value := range []string{
			"gitVersion=v" + kubernetes, "gitMajor=" + major, "gitMinor=" + minor, "gitTreeState=clean",
			"gitCommit=0000000000000000000000000000000000000000", "buildDate=2026-01-01T00:00:00Z",
		} {
			flags = append(flags, "-X "+in+"."+value)
		}
	}
	return strings.Join(flags, " ")
}

// arguments returns the go command's, for programs that go into folder bin.
func (b build) arguments(bin string) []string {
	verb := []string{"install"}
	if b.module != "" {
		verb = []string{"build", "-o", bin + "/" + b.output}
	}
	arguments := append(verb, "-trimpath", "-buildvcs=false", "-ldflags", strings.TrimSpace("-s -w "+b.ldflags))
	if b.tags != "" {
		arguments = append(arguments, "-tags", b.tags)
	}
	return append(arguments, b.packages...)
}

// built returns the name that the go command gives the first program.
func (b build) built() string {
	p, _, _ := strings.Cut(b.packages[0], "@")
	return path.Base(p)
}

func (b build) environment(bin string) []string {
	cgo := 0
	if b.cgo {
		cgo = 1
	}
	return []string{fmt.Sprintf("CGO_ENABLED=%d", cgo), "GOBIN=" + bin, "GOFLAGS=", "GOWORK=off"}
}

// image is a program that runs in pods, and the names that manifests know it by.
type image struct {
	program    string
	references []string
}

func images() []image {
	const echo = "registry.k8s.io/gateway-api/echo-basic:"
	return []image{
		{"pause", []string{"localhost/pause:dev"}},
		{"coredns", []string{"localhost/coredns:dev", "registry.k8s.io/coredns/coredns:v1.12.2"}},
		{"echo-basic", []string{echo + "v1.5.1", echo + "v1.6.0-dev.2", echo + "v1.6.0-dev.3"}},
	}
}
