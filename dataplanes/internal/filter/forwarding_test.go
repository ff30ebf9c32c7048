package filter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

var noise = RequestID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

func arrives(fields ...exchange.Field) *exchange.Request {
	r := request("GET", "/", fields...)
	r.Client = netip.MustParseAddrPort("[::ffff:192.0.2.1]:4711")
	return r
}

func TestForwardingWithoutTrustedHopsReplaces(t *testing.T) {
	r := arrives(
		exchange.Field{Name: "X-Forwarded-For", Value: "10.0.0.1"}, exchange.Field{Name: "x-forwarded-proto", Value: "https"},
		exchange.Field{Name: "X-Forwarded-Host", Value: "evil"}, exchange.Field{Name: "X_Forwarded_For", Value: "evil"},
		exchange.Field{Name: "Forwarded", Value: "for=evil"}, exchange.Field{Name: "X-Real-IP", Value: "evil"},
		exchange.Field{Name: "X-Request-ID", Value: "evil"}, exchange.Field{Name: "X-Forwarded-Port", Value: "1"},
		exchange.Field{Name: "traceparent", Value: "00-a-b-01"}, exchange.Field{Name: "X-Forwarded-Prefix", Value: "/kept"},
	)
	Forwarding{}.Apply(r, noise)
	want := "traceparent: 00-a-b-01\nX-Forwarded-Prefix: /kept\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: http\n" +
		"X-Forwarded-Host: a.example:8080\nX-Forwarded-Port: 8080\nX-Request-Id: 01020304-0506-4708-890a-0b0c0d0e0f10"
	if got := text(r.Header); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if r.Peer != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("the peer is %v", r.Peer)
	}
}

func TestForwardingBelievesItsHops(t *testing.T) {
	for _, c := range []struct {
		hops            int
		came            []string
		forwarded, peer string
	}{
		{1, []string{"10.0.0.1, 203.0.113.9"}, "203.0.113.9, 192.0.2.1", "203.0.113.9"},
		{2, []string{"10.0.0.1, 203.0.113.9"}, "10.0.0.1, 203.0.113.9, 192.0.2.1", "10.0.0.1"},
		{2, []string{"10.0.0.1", "203.0.113.9"}, "10.0.0.1, 203.0.113.9, 192.0.2.1", "10.0.0.1"},
		{3, []string{"10.0.0.1, 203.0.113.9"}, "10.0.0.1, 203.0.113.9, 192.0.2.1", "192.0.2.1"},
		{1, []string{"203.0.113.9:1234"}, "203.0.113.9:1234, 192.0.2.1", "203.0.113.9"},
		{1, []string{"[2001:db8::1]"}, "[2001:db8::1], 192.0.2.1", "2001:db8::1"},
		{1, []string{"unknown"}, "unknown, 192.0.2.1", "192.0.2.1"},
		{1, nil, "192.0.2.1", "192.0.2.1"},
	} {
		r := arrives()
		for _, value := range c.came {
			r.Header.Add("X-Forwarded-For", value)
		}
		Forwarding{TrustedHops: c.hops}.Apply(r, noise)
		if got, _ := r.Header.Joined("X-Forwarded-For"); got != c.forwarded || r.Peer.String() != c.peer {
			t.Errorf("%d hops, %v: %q, peer %v; want %q, %s", c.hops, c.came, got, r.Peer, c.forwarded, c.peer)
		}
	}
}

func TestForwardingKeepsWhatATrustedProxySays(t *testing.T) {
	r := arrives(
		exchange.Field{Name: "X-Forwarded-Proto", Value: "http"}, exchange.Field{Name: "X-Forwarded-Proto", Value: "https"},
		exchange.Field{Name: "X-Forwarded-Host", Value: "shop.example"}, exchange.Field{Name: "X-Forwarded-Port", Value: "443"},
		exchange.Field{Name: "x-request-id", Value: "abc"}, exchange.Field{Name: "Forwarded", Value: "for=a"},
		exchange.Field{Name: "x_request_id", Value: "evil"}, exchange.Field{Name: "X-Forwarded_For", Value: "evil"},
	)
	Forwarding{TrustedHops: 1}.Apply(r, noise)
	want := "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: shop.example\nX-Forwarded-Port: 443\nForwarded: for=a\nX-Request-Id: abc"
	if got := text(r.Header); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r = arrives(exchange.Field{Name: "x-request-id", Value: strings.Repeat("a", 129)})
	Forwarding{TrustedHops: 1}.Apply(r, noise)
	if id, _ := r.Header.Get("X-Request-Id"); len(id) != 36 {
		t.Errorf("an absurd identity is kept: %q", id)
	}
}

func BenchmarkForwarding(b *testing.B) {
	came := exchange.Header{{Name: "User-Agent", Value: "curl"}, {Name: "Accept", Value: "*/*"}}
	r := arrives()
	buffer := make(exchange.Header, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		r.Header = append(buffer[:0], came...)
		Forwarding{}.Apply(r, noise)
	}
}
