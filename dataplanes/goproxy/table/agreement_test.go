package table

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/test/ordertest"
	"github.com/sluice-gateway/sluice/translators/goproxy"
)

// TestLookupAgreesWithOrder holds the fast look-up to the slow evaluation that
// explain shows, on random units and requests.
func TestLookupAgreesWithOrder(t *testing.T) { rapid.Check(t, agree) }

func FuzzLookupAgreesWithOrder(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agree)) }

func agree(t *rapid.T) {
	config := goproxy.Translate(ordertest.Unit(t), nil)
	compiled, _ := Compile(config, nil)
	for range 8 {
		r, sni := drawRequest(t), rapid.SampledFrom(ordertest.Hosts).Draw(t, "sni")
		for _, port := range config.Ports {
			got := describe(compiled.Port(port.Port).Lookup(sni, r))
			if want := slow(port, sni, r); got != want {
				t.Fatalf("%s %s%s?%s %v, SNI %q, port %d: the table says %s, order says %s",
					r.Method, r.Host, r.Path, r.Query, r.Header, sni, port.Port, got, want)
			}
		}
	}
}

// slow answers as explain does.
func slow(port *order.Port, sni string, r *exchange.Request) string {
	var listeners []*ir.Listener
	for _, l := range port.Listeners {
		listeners = append(listeners, l.Listener)
	}
	chosen, verdict := order.Choose(listeners, sni, r.Host)
	if verdict == order.Misdirected {
		return "misdirected"
	}
	if verdict == order.NoListener {
		return "no route"
	}
	for _, l := range port.Listeners {
		if l.Listener != chosen {
			continue
		}
		request := order.Request{Method: r.Method, Host: r.Host, Path: r.Path, Query: r.Query}
		for _, f := range r.Header {
			request.Headers = append(request.Headers, ir.Header{Name: f.Name, Value: f.Value})
		}
		if won, ok := order.Winner(l, request); ok {
			prefix := ""
			if m := won.Entry.Match(); m.Path.Kind == ir.Prefix {
				prefix = order.Literal(m.Path)
			}
			return fmt.Sprintf("%v prefix %q", won.Entry.Rule.Origin, prefix)
		}
	}
	return "no route"
}

func describe(hit Hit) string {
	switch hit.Outcome {
	case Found:
		return fmt.Sprintf("%v prefix %q", hit.Rule.Origin, hit.Prefix)
	case Misdirected:
		return "misdirected"
	default:
		return "no route"
	}
}

// drawRequest draws from the look-up's own point of view: a client may name no host,
// and ask for "*".
func drawRequest(t *rapid.T) *exchange.Request {
	q := ordertest.Request(t, append([]string{""}, ordertest.Hosts...), append([]string{"*"}, ordertest.Paths...))
	r := &exchange.Request{Method: q.Method, Host: q.Host, Path: q.Path, Query: q.Query}
	for _, h := range q.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	return r
}
