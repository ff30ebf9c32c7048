package resources

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSAnswer is what a name of an ExternalName Service resolved to. Whoever
// resolves names puts answers into the Set, under the key of DNSAnswerKey, so
// that translation stays free of the network.
type DNSAnswer struct {
	metav1.ObjectMeta
	// Addresses are IP addresses, sorted; none where the name does not resolve.
	Addresses []string
}

var _ Object = (*DNSAnswer)(nil)

// DNSAnswerKey is the key of the answer to a name.
func DNSAnswerKey(name string) Key { return Key{Kind: DNSName, Name: name} }

// NewDNSAnswer returns the answer to a name.
func NewDNSAnswer(name string, addresses ...string) *DNSAnswer {
	return &DNSAnswer{ObjectMeta: metav1.ObjectMeta{Name: name}, Addresses: addresses}
}
