package exchange_test

import (
	"io"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// What the proxy vouches for comes neither from the header nor from the trailer
// of a client, in no spelling.
func TestVouch(t *testing.T) {
	announced := exchange.Header{{Name: "X-User"}, {Name: "X-Sum"}}
	r := &exchange.Request{
		Header:  exchange.Header{{Name: "x_user", Value: "evil"}, {Name: "a", Value: "b"}},
		Trailer: &announced, Body: io.NopCloser(strings.NewReader("body")), Length: -1,
	}
	r.Vouch("x-user")
	r.Header.Set("x-user", "good")
	got := r.Strained()
	if names := list(*got.Trailer); names != "X-Sum=" {
		t.Errorf("announced %s", names)
	}
	announced = exchange.Header{{Name: "X-User", Value: "evil"}, {Name: "x_user", Value: "evil"}, {Name: "X-Sum", Value: "1"}}
	if body, err := io.ReadAll(got.Body); string(body) != "body" || err != nil {
		t.Fatalf("body %q, %v", body, err)
	}
	if trailer := list(*got.Trailer); trailer != "X-Sum=1" {
		t.Errorf("trailer %s", trailer)
	}
	if header := list(got.Header); header != "a=b x-user=good" {
		t.Errorf("header %s", header)
	}
}

func TestNothingToStrain(t *testing.T) {
	r := &exchange.Request{Trailer: &exchange.Header{}}
	if r.Strained() != r {
		t.Error("a request without a word of the proxy's was copied")
	}
	r = &exchange.Request{}
	r.Vouch("x-user")
	if r.Strained() != r {
		t.Error("a request without a trailer was copied")
	}
}

func list(h exchange.Header) string {
	var all []string
	for _, f := range h {
		all = append(all, f.Name+"="+f.Value)
	}
	return strings.Join(all, " ")
}
