package parity

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/parity/peer"
)

// answer is what came back from one request, call or exchange.
type answer struct {
	err       error
	status    int
	proto     string
	header    http.Header
	trailer   http.Header
	body      []byte
	length    int
	continued bool
	leaf      *x509.Certificate
	// took is for the reader of a failure alone: no time is ever expected.
	took time.Duration
	// seen is what the backend that answered got; nil where none did.
	seen *peer.Seen

	isGRPC      bool
	grpcStatus  int
	grpcMessage string
	messages    int
}

// readSeen takes the backend's account out of the body.
func (a *answer) readSeen() {
	var seen struct {
		peer.Seen
		echoed
	}
	if json.Unmarshal(a.body, &seen) != nil {
		return
	}
	if seen.Backend == "" && seen.Service != "" {
		seen.Backend = seen.Namespace + "/" + seen.Service
		seen.Path += seen.Query
	}
	if seen.Backend != "" {
		a.seen = &seen.Seen
	}
}

// echoed are the fields that the product's own echo server names differently.
type echoed struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Query     string `json:"query"`
}

// outcome names what answered: a Service's name, or the status.
func (a *answer) outcome() string {
	switch {
	case a.err != nil:
		return "error"
	case a.seen != nil:
		return strings.TrimPrefix(a.seen.Backend, "default/")
	default:
		return fmt.Sprint(a.status)
	}
}

// String is the answer as a failure shows it.
func (a *answer) String() string {
	if a.err != nil {
		return fmt.Sprintf("no answer after %v: %s", a.took.Round(time.Millisecond), a.err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %d after %v", a.proto, a.status, a.took.Round(time.Millisecond))
	if a.isGRPC {
		fmt.Fprintf(&out, " grpc-status %d %q, %d messages", a.grpcStatus, a.grpcMessage, a.messages)
	}
	writeFields(&out, a.header)
	if len(a.trailer) > 0 {
		out.WriteString("\n  trailers:")
		writeFields(&out, a.trailer)
	}
	body := a.body
	if len(body) > 1500 {
		body = body[:1500]
	}
	if len(body) > 0 {
		fmt.Fprintf(&out, "\n  %q", body)
	}
	return out.String()
}

func writeFields(out *strings.Builder, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(out, "\n  %s: %s", name, value)
		}
	}
}
