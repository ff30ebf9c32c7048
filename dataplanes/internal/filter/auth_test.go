package filter

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// asker is an authorization server as a function; it remembers the question.
type asker struct {
	answer *exchange.Response
	err    error
	asked  *exchange.Request
	body   string
}

var _ Asker = (*asker)(nil)

func (a *asker) Ask(_ context.Context, _ ir.BackendKey, r *exchange.Request) (*exchange.Response, error) {
	body, _ := io.ReadAll(r.Body)
	a.asked, a.body = r, string(body)
	return a.answer, a.err
}

func ask(t *testing.T, spec ir.ExternalAuth, server *asker, r *exchange.Request) (*Exchange, *exchange.Response) {
	t.Helper()
	x := Start(r, "/", 0)
	x.Ask = server
	return &x, compiled(t, ir.Filter{ExternalAuth: &spec}).Request(t.Context(), &x)
}

func secured() *exchange.Request {
	r := request("POST", "/a/b?c=d",
		exchange.Field{Name: "Authorization", Value: "Bearer x"}, exchange.Field{Name: "Cookie", Value: "s=1"},
		exchange.Field{Name: "X-User", Value: "forged"}, exchange.Field{Name: "X-Extra", Value: "1"})
	r.Client = netip.MustParseAddrPort("192.0.2.7:4321")
	r.Peer = r.Client.Addr()
	r.Body, r.Length = io.NopCloser(strings.NewReader("hello")), 5
	return r
}

func TestHTTPAuthAsks(t *testing.T) {
	server := &asker{answer: &exchange.Response{Status: 200, Header: exchange.Header{
		{Name: "X-User", Value: "ann"}, {Name: "X-Group", Value: "a"}, {Name: "X-Group", Value: "b"},
		{Name: "Content-Length", Value: "0"}, {Name: "Host", Value: "evil"},
	}}}
	r := secured()
	_, answer := ask(t, ir.ExternalAuth{PathPrefix: "/check/", RequestHeaders: []string{"X-Extra"}}, server, r)
	if answer != nil {
		t.Fatalf("refused with %d", answer.Status)
	}
	q := server.asked
	if q.Method != "POST" || q.Authority != "a.example:8080" || q.Path != "/check/a/b" || q.Query != "c=d" || q.Length != 0 || server.body != "" {
		t.Errorf("asked %+v, body %q", q, server.body)
	}
	if got := text(q.Header); got != "Authorization: Bearer x\nX-Extra: 1" {
		t.Errorf("asked with %q", got)
	}
	if got := text(r.Header); got != "Authorization: Bearer x\nCookie: s=1\nX-Extra: 1\nX-User: ann\nX-Group: a\nX-Group: b" {
		t.Errorf("the backend is asked with\n%s", got)
	}
}

func TestHTTPAuthTakesNamedHeadersFromTheServerAlone(t *testing.T) {
	r := secured()
	server := &asker{answer: &exchange.Response{Status: 200, Header: exchange.Header{{Name: "X-Other", Value: "1"}}}}
	if _, answer := ask(t, ir.ExternalAuth{ResponseHeaders: []string{"x-user"}}, server, r); answer != nil {
		t.Fatalf("refused with %d", answer.Status)
	}
	if _, found := r.Header.Get("X-User"); found {
		t.Error("a client's X-User passes for the server's")
	}
	if _, found := r.Header.Get("X-Other"); found {
		t.Error("a header that the rule does not name was copied")
	}
}

func TestHTTPAuthHandsRefusalsOn(t *testing.T) {
	for status, want := range map[int]int{302: 302, 401: 401, 403: 403, 204: 403, 201: 403, 500: 403, 503: 403, 101: 403} {
		server := &asker{answer: &exchange.Response{
			Status: status, Header: exchange.Header{{Name: "Location", Value: "/login"}, {Name: "Connection", Value: "close"}},
			Body: io.NopCloser(strings.NewReader("no")),
		}}
		_, answer := ask(t, ir.ExternalAuth{}, server, secured())
		if answer == nil || answer.Status != want {
			t.Fatalf("%d: answered with %+v", status, answer)
		}
		location, _ := answer.Header.Get("Location")
		if _, found := answer.Header.Get("Connection"); found || (location == "/login") != (status == want) && status != 403 {
			t.Errorf("%d: header is %v", status, answer.Header)
		}
	}
}

func TestAuthFailsClosed(t *testing.T) {
	for name, server := range map[string]*asker{
		"error":     {err: errors.New("connection refused")},
		"no answer": {},
		"endless":   {answer: &exchange.Response{Status: 403, Body: io.NopCloser(endless{})}},
	} {
		for _, grpc := range []bool{false, true} {
			if _, answer := ask(t, ir.ExternalAuth{GRPC: grpc}, server, secured()); answer == nil || answer.Status != 403 {
				t.Errorf("%s, gRPC %v: answered with %+v", name, grpc, answer)
			}
		}
	}
	x := Start(secured(), "/", 0)
	if answer := compiled(t, ir.Filter{ExternalAuth: &ir.ExternalAuth{}}).Request(t.Context(), &x); answer == nil || answer.Status != 403 {
		t.Errorf("nobody to ask: answered with %+v", answer)
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAuthSendsTheBodyAndKeepsIt(t *testing.T) {
	server := &asker{answer: &exchange.Response{Status: 200}}
	r := secured()
	r.Length = -1
	if _, answer := ask(t, ir.ExternalAuth{MaxBodyBytes: 5}, server, r); answer != nil {
		t.Fatalf("refused with %d", answer.Status)
	}
	rest, _ := io.ReadAll(r.Body)
	if server.body != "hello" || server.asked.Length != 5 || string(rest) != "hello" || r.Length != 5 {
		t.Errorf("the server got %q of length %d, the backend %q of length %d", server.body, server.asked.Length, rest, r.Length)
	}
	for _, length := range []int64{5, -1} {
		r = secured()
		r.Length = length
		if _, answer := ask(t, ir.ExternalAuth{MaxBodyBytes: 4}, server, r); answer == nil || answer.Status != 413 {
			t.Errorf("length %d: answered with %+v", length, answer)
		}
	}
}

// checked is a server's gRPC answer, with its status in the trailer.
func checked(t *testing.T, response *authv3.CheckResponse, grpcStatus string) *exchange.Response {
	t.Helper()
	message, err := proto.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange.Response{
		Status: 200, Body: io.NopCloser(strings.NewReader(string(frame(message)))),
		Trailer: &exchange.Header{{Name: "grpc-status", Value: grpcStatus}},
	}
}

func option(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}}
}

func allowed(ok *authv3.OkHttpResponse) *authv3.CheckResponse {
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}
}

func TestGRPCAuth(t *testing.T) {
	server := &asker{answer: checked(t, allowed(&authv3.OkHttpResponse{
		Headers:              []*corev3.HeaderValueOption{option("x-user", "ann"), option("content-length", "9"), option("x-bad", "a\nb")},
		HeadersToRemove:      []string{"cookie", "host"},
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{option("x-session", "1")},
	}), "0")}
	r := secured()
	x, answer := ask(t, ir.ExternalAuth{GRPC: true, MaxBodyBytes: 100}, server, r)
	if answer != nil {
		t.Fatalf("refused with %+v", answer)
	}
	if got := text(r.Header); got != "Authorization: Bearer x\nX-Extra: 1\nx-user: ann" && got != "Authorization: Bearer x\nx-user: ann\nX-Extra: 1" {
		t.Errorf("the backend is asked with\n%s", got)
	}
	question := &authv3.CheckRequest{}
	if err := proto.Unmarshal([]byte(server.body[5:]), question); err != nil || int(binary.BigEndian.Uint32([]byte(server.body[1:]))) != len(server.body)-5 {
		t.Fatalf("the question is malformed: %v", err)
	}
	http := question.GetAttributes().GetRequest().GetHttp()
	if http.GetMethod() != "POST" || http.GetPath() != "/a/b?c=d" || http.GetHeaders()["cookie"] != "s=1" || string(http.GetRawBody()) != "hello" {
		t.Errorf("asked %v", http)
	}
	if server.asked.Path != checkMethod || !server.asked.GRPC {
		t.Errorf("asked %+v", server.asked)
	}
	back := &exchange.Response{}
	compiled(t, ir.Filter{ExternalAuth: &ir.ExternalAuth{GRPC: true}}).Response(x, back)
	if got := text(back.Header); got != "x-session: 1" {
		t.Errorf("the client gets %q", got)
	}
}

func TestGRPCAuthRefuses(t *testing.T) {
	denied := &authv3.CheckResponse{Status: &status.Status{Code: 7}, HttpResponse: &authv3.CheckResponse_DeniedResponse{
		DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: 401}, Body: "who?", Headers: []*corev3.HeaderValueOption{option("www-authenticate", "Basic")},
		},
	}}
	truncated := checked(t, allowed(nil), "0")
	truncated.Body = io.NopCloser(strings.NewReader("\x00\x00\x00\x00\x09ab"))
	compressed := checked(t, allowed(nil), "0")
	compressed.Body = io.NopCloser(strings.NewReader("\x01\x00\x00\x00\x00"))
	unwell := checked(t, allowed(nil), "0")
	unwell.Status = 503
	query := allowed(&authv3.OkHttpResponse{QueryParametersToRemove: []string{"c"}})
	for name, c := range map[string]struct {
		answer *exchange.Response
		want   int
	}{
		"denied":            {checked(t, denied, "0"), 401},
		"denied, no answer": {checked(t, &authv3.CheckResponse{Status: &status.Status{Code: 7}}, "0"), 403},
		"no status":         {checked(t, &authv3.CheckResponse{}, "0"), 403},
		"call failed":       {checked(t, allowed(nil), "14"), 403},
		"truncated":         {truncated, 403},
		"compressed":        {compressed, 403},
		"HTTP error":        {unwell, 403},
		"query edits":       {checked(t, query, "0"), 403},
	} {
		_, answer := ask(t, ir.ExternalAuth{GRPC: true}, &asker{answer: c.answer}, secured())
		if answer == nil || answer.Status != c.want {
			t.Errorf("%s: answered with %+v, want %d", name, answer, c.want)
		}
		if challenge, _ := answer.Header.Get("www-authenticate"); (challenge == "Basic") != (name == "denied") {
			t.Errorf("%s: the challenge is %q", name, challenge)
		}
	}
}

func TestGRPCAuthSendsOnlyNamedHeaders(t *testing.T) {
	server := &asker{answer: checked(t, allowed(nil), "0")}
	ask(t, ir.ExternalAuth{GRPC: true, RequestHeaders: []string{"cookie"}}, server, secured())
	question := &authv3.CheckRequest{}
	if err := proto.Unmarshal([]byte(server.body[5:]), question); err != nil {
		t.Fatal(err)
	}
	if got := question.GetAttributes().GetRequest().GetHttp().GetHeaders(); len(got) != 1 || got["cookie"] != "s=1" {
		t.Errorf("sent %v", got)
	}
}

// TestNoDisguiseForWhatIsVouchedFor has a client that sends other spellings of
// names that an authorization server or a rule writes.
func TestNoDisguiseForWhatIsVouchedFor(t *testing.T) {
	disguised := func() *exchange.Request {
		return request("GET", "/", exchange.Field{Name: "X_User", Value: "root"}, exchange.Field{Name: "x.user", Value: "root"},
			exchange.Field{Name: "X-Userb", Value: "1"}, exchange.Field{Name: "X_Other", Value: "1"})
	}
	const want = "X-Userb: 1\nX_Other: 1"
	filters := map[string]ir.Filter{
		"HTTP, named":   {ExternalAuth: &ir.ExternalAuth{ResponseHeaders: []string{"x-user"}}},
		"HTTP, all":     {ExternalAuth: &ir.ExternalAuth{}},
		"gRPC, set":     {ExternalAuth: &ir.ExternalAuth{GRPC: true}},
		"gRPC, removed": {ExternalAuth: &ir.ExternalAuth{GRPC: true}},
		"set":           {RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-User", Value: "ann"}}}},
		"removed":       {RequestHeaders: &ir.HeaderEdit{Remove: []string{"x-user"}}},
	}
	answers := map[string]*exchange.Response{
		"HTTP, named":   {Status: 200},
		"HTTP, all":     {Status: 200, Header: exchange.Header{{Name: "X-User", Value: "ann"}}},
		"gRPC, set":     checked(t, allowed(&authv3.OkHttpResponse{Headers: []*corev3.HeaderValueOption{option("x-user", "ann")}}), "0"),
		"gRPC, removed": checked(t, allowed(&authv3.OkHttpResponse{HeadersToRemove: []string{"x-user"}}), "0"),
	}
	for name, f := range filters {
		r := disguised()
		x := Start(r, "/", 0)
		x.Ask = &asker{answer: answers[name]}
		if answer := compiled(t, f).Request(t.Context(), &x); answer != nil {
			t.Fatalf("%s: answered with %d", name, answer.Status)
		}
		r.Header.Del("X-User")
		if got := text(r.Header); got != want {
			t.Errorf("%s: the backend is asked with\n%s\nwant\n%s", name, got, want)
		}
	}
}
