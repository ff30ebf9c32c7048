package envoy

import (
	"encoding/json"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// secretOf is a Config with one text where Envoy's definitions have secrets: a
// private key by itself, one inside a packed message, and a token of bytes.
func secretOf(text string) *Config {
	source := &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
	key := &tlsv3.TlsCertificate{PrivateKey: source, CertificateChain: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte("public")}}}
	return &Config{
		unit:    &ir.Unit{Proxy: &ir.Proxy{}},
		Secrets: []*Resource{{Name: "a", Message: &tlsv3.Secret{Name: "a", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: key}}}},
		Clusters: []*Resource{{Name: "c", Message: &clusterv3.Cluster{Name: "c", TransportSocketMatches: []*clusterv3.Cluster_TransportSocketMatch{{
			TransportSocket: &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: typed(&tlsv3.UpstreamTlsContext{
				CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificates: []*tlsv3.TlsCertificate{key}},
			})}},
		}}}}},
		Routes: []*Resource{{Name: "s", Message: &tlsv3.Secret{Name: "s", Type: &tlsv3.Secret_SessionTicketKeys{SessionTicketKeys: &tlsv3.TlsSessionTicketKeys{Keys: []*corev3.DataSource{source}}}}}},
	}
}

func TestNoSecretIsWrittenDown(t *testing.T) {
	secret := "c2VjcmV0LXNlY3JldA=="
	c := secretOf(secret)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret) || strings.Count(string(text), redacted) != 2 {
		t.Errorf("want the two private keys as %s and nothing of any secret, have %s", redacted, text)
	}
	if !strings.Contains(string(text), "cHVibGlj") {
		t.Errorf("what is public is not there: %s", text)
	}
	if got := c.Secrets[0].Message.(*tlsv3.Secret).GetTlsCertificate().GetPrivateKey().GetInlineString(); got != secret {
		t.Errorf("writing it down has changed the configuration: its key is %q now", got)
	}
}

func TestWrittenTheSameWayEachTime(t *testing.T) {
	first, err := json.Marshal(secretOf("x"))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := json.Marshal(secretOf("x"))
		if err != nil || string(again) != string(first) {
			t.Fatalf("have %s, %v; at first it was %s", again, err, first)
		}
	}
}
