package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM: %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestAnAuthorityIssuesForServersAndClients(t *testing.T) {
	authority, err := NewAuthority("ca", now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, authority.Cert))
	for name, c := range map[string]struct {
		subject Subject
		verify  x509.VerifyOptions
	}{
		"client":  {Subject{User: "u", Groups: []string{"g"}}, x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
		"name":    {Subject{User: "s", Names: []string{"a.example"}}, x509.VerifyOptions{DNSName: "a.example"}},
		"address": {Subject{User: "s", Addresses: []netip.Addr{netip.MustParseAddr("fd53::1")}}, x509.VerifyOptions{DNSName: "fd53::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := authority.Issue(c.subject)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
				t.Error(err)
			}
			cert := parse(t, pair.Cert)
			c.verify.Roots, c.verify.CurrentTime = roots, now
			if _, err := cert.Verify(c.verify); err != nil {
				t.Error(err)
			}
			if cert.Subject.CommonName != c.subject.User {
				t.Errorf("user is %q, want %q", cert.Subject.CommonName, c.subject.User)
			}
		})
	}
}

// A client's certificate must not pass for a server's, nor one authority's for
// another's.
func TestCertificatesAreGoodForOneThing(t *testing.T) {
	authority, err := NewAuthority("ca", now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewAuthority("ca", now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Subject{User: "u"})
	if err != nil {
		t.Fatal(err)
	}
	for name, issuer := range map[string]*Authority{"as a server": authority, "by another authority": other} {
		roots := x509.NewCertPool()
		roots.AddCert(parse(t, issuer.Cert))
		usage := x509.ExtKeyUsageClientAuth
		if issuer == authority {
			usage = x509.ExtKeyUsageServerAuth
		}
		if _, err := parse(t, pair.Cert).Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}); err == nil {
			t.Errorf("accepted %s", name)
		}
	}
}

func TestWriteMakesWhatAClusterReads(t *testing.T) {
	p := plan.Plan{Dir: t.TempDir(), Nodes: 2, DualStack: true}
	if err := Write(p, now); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"admin", "kube-proxy", "kube-scheduler", "kube-controller-manager", "metallb", "node1", "node2"} {
		config, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig(user))
		if err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		if config.Host != plan.APIServer || len(config.CertData) == 0 || len(config.CAData) == 0 {
			t.Errorf("%s: %+v", user, config)
		}
	}
	server := read(t, p, "apiserver.crt")
	names, ips := p.ServerNames()
	for _, name := range names {
		if err := server.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	for _, ip := range append(ips, netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd53:1ce:0:96::1")) {
		if err := server.VerifyHostname(ip.String()); err != nil {
			t.Error(err)
		}
	}
	if got := read(t, p, "node2-serving.crt").Subject; got.CommonName != "system:node:node2" || len(got.Organization) != 1 || got.Organization[0] != "system:nodes" {
		t.Errorf("node2 is %s", got)
	}
}

func read(t *testing.T, p plan.Plan, name string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(p.File("pki", name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, data)
}
