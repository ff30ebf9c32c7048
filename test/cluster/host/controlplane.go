package host

import (
	"encoding/json"
	"os"
	"os/exec"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

const etcd = "http://127.0.0.1:22379"

// command returns how a process of the control plane is started, by its name.
func command(p plan.Plan, name string) *exec.Cmd {
	arguments := map[string]func(plan.Plan) []string{
		"etcd":                    etcdArguments,
		"kube-apiserver":          apiserverArguments,
		"kube-controller-manager": controllerManagerArguments,
		"kube-scheduler":          schedulerArguments,
		"metallb":                 metallbArguments,
	}[name]
	if arguments == nil {
		return nil
	}
	cmd := exec.Command(p.Program(name), arguments(p)...) //nolint:gosec // Our own programs.
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig(name))
	return cmd
}

func etcdArguments(p plan.Plan) []string {
	const peer = "http://127.0.0.1:22380"
	return []string{
		"--data-dir", p.File("etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}
}

func apiserverArguments(p plan.Plan) []string {
	pki := func(name string) string { return p.File("pki", name) }
	host := p.Host()[0].Addr().String()
	return []string{
		"--advertise-address=" + host, "--bind-address=" + host, "--secure-port=6443",
		"--etcd-servers=" + etcd, "--service-cluster-ip-range=" + plan.Prefixes(p.Services()),
		"--allow-privileged=true", "--profiling=false", "--enable-aggregator-routing=true",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + pki("ca.crt"), "--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc." + plan.Domain,
		"--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--kubelet-client-certificate=" + pki("kubelet-client.crt"), "--kubelet-client-key=" + pki("kubelet-client.key"),
		"--kubelet-certificate-authority=" + pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front-proxy-client.crt"), "--proxy-client-key-file=" + pki("front-proxy-client.key"),
		"--audit-policy-file=" + p.File("audit-policy.json"), "--audit-log-path=" + p.Audit(), "--audit-log-maxsize=4096",
	}
}

func controllerManagerArguments(p plan.Plan) []string {
	kubeconfig := p.Kubeconfig("kube-controller-manager")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--leader-elect=false", "--allocate-node-cidrs=false", "--profiling=false",
		"--flex-volume-plugin-dir=" + p.File("volume-plugins"),
		"--root-ca-file=" + p.File("pki", "ca.crt"), "--service-account-private-key-file=" + p.File("pki", "sa.key"),
		"--use-service-account-credentials=true",
		// 20 a second by default: most of what a boot would wait for.
		"--kube-api-qps=300", "--kube-api-burst=500",
		"--cluster-signing-cert-file=" + p.File("pki", "ca.crt"), "--cluster-signing-key-file=" + p.File("pki", "ca.key"),
	}
}

func schedulerArguments(p plan.Plan) []string {
	kubeconfig := p.Kubeconfig("kube-scheduler")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--leader-elect=false", "--profiling=false",
	}
}

// metallbArguments turn off what needs a pod: the webhook and its certificates.
// There is no speaker, so there is no secret for its members either.
func metallbArguments(plan.Plan) []string {
	return []string{"--namespace=metallb-system", "--port=22472", "--webhook-mode=disabled", "--disable-cert-rotation", "--log-level=warn"}
}

// auditPolicy records who did what to what, once for each request, and what was
// written where a status is.
func auditPolicy() ([]byte, error) {
	type object = map[string]any
	statuses := []object{{"group": "", "resources": []string{"*/status"}}}
	for _, group := range []string{"apps", "gateway.networking.k8s.io", "networking.k8s.io", "sluice.dev"} {
		statuses = append(statuses, object{"group": group, "resources": []string{"*/status"}})
	}
	return json.Marshal(object{
		"apiVersion": "audit.k8s.io/v1",
		"kind":       "Policy",
		"omitStages": []string{"RequestReceived"},
		"rules": []object{
			{"level": "Request", "verbs": []string{"update", "patch"}, "resources": statuses},
			{"level": "Metadata"},
		},
	})
}
