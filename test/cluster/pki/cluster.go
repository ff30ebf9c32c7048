package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// MetalLB is the user that MetalLB's controller is to the API server: the
// ServiceAccount that it would have in a pod.
const MetalLB = "system:serviceaccount:metallb-system:controller"

// writer makes files of a cluster until the first failure.
type writer struct {
	plan plan.Plan
	ca   *Authority
	err  error
}

// Write makes all keys, certificates and kubeconfigs of a cluster below
// plan.Dir, certificates in pki.
func Write(p plan.Plan, now time.Time) error {
	w := &writer{plan: p}
	w.keep(os.MkdirAll(p.File("pki"), 0o700))
	w.ca = w.authority("ca", now)
	front := w.authority("front-proxy-ca", now)
	if w.err != nil {
		return w.err
	}
	names, ips := p.ServerNames()
	w.issue("apiserver", w.ca, Subject{User: "kube-apiserver", Names: names, Addresses: ips})
	w.issue("kubelet-client", w.ca, Subject{User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}})
	w.issue("front-proxy-client", front, Subject{User: "front-proxy-client"})
	w.user("admin", Subject{User: "admin", Groups: []string{"system:masters"}})
	w.user("kube-controller-manager", Subject{User: "system:kube-controller-manager"})
	w.user("kube-scheduler", Subject{User: "system:kube-scheduler"})
	w.user("kube-proxy", Subject{User: "system:kube-proxy"})
	w.user("metallb", Subject{User: MetalLB, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:metallb-system"}})
	for i := 1; i <= p.Nodes; i++ {
		w.node(i)
	}
	w.serviceAccountKey()
	return w.err
}

func (w *writer) node(i int) {
	name := plan.NodeName(i)
	identity := Subject{User: "system:node:" + name, Groups: []string{"system:nodes"}}
	w.user(name, identity)
	identity.Names = []string{name}
	for _, address := range w.plan.Node(i) {
		identity.Addresses = append(identity.Addresses, address.Addr())
	}
	w.issue(name+"-serving", w.ca, identity)
}

func (w *writer) authority(name string, now time.Time) *Authority {
	a, err := NewAuthority(name, now)
	w.keep(err)
	if err == nil {
		w.pair(name, a.Pair)
	}
	return a
}

func (w *writer) issue(name string, a *Authority, s Subject) Pair {
	pair, err := a.Issue(s)
	w.keep(err)
	w.pair(name, pair)
	return pair
}

func (w *writer) user(name string, s Subject) {
	data, err := Kubeconfig(w.ca.Cert, w.issue(name, w.ca, s))
	w.keep(err)
	w.file(w.plan.Kubeconfig(name), data)
}

// serviceAccountKey makes the key that tokens are signed with.
func (w *writer) serviceAccountKey() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.keep(err)
	if w.err != nil {
		return
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	w.keep(err)
	w.file(w.plan.File("pki", "sa.key"), private(key))
	w.file(w.plan.File("pki", "sa.pub"), encode("PUBLIC KEY", public))
}

func (w *writer) pair(name string, pair Pair) {
	w.file(w.plan.File("pki", name+".crt"), pair.Cert)
	w.file(w.plan.File("pki", name+".key"), pair.Key)
}

func (w *writer) file(name string, data []byte) {
	if w.err == nil {
		w.keep(os.WriteFile(filepath.Clean(name), data, 0o600))
	}
}

func (w *writer) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Kubeconfig returns the file of a user with a certificate, as JSON, which is
// YAML too.
func Kubeconfig(ca []byte, user Pair) ([]byte, error) {
	type object = map[string]any
	return json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []object{{"name": "sluice-test", "cluster": object{"server": plan.APIServer, "certificate-authority-data": ca}}},
		"users":           []object{{"name": "user", "user": object{"client-certificate-data": user.Cert, "client-key-data": user.Key}}},
		"contexts":        []object{{"name": "sluice-test", "context": object{"cluster": "sluice-test", "user": "user"}}},
		"current-context": "sluice-test",
	}, "", "  ")
}
