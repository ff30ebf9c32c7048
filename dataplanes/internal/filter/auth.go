package filter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir/editing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// auth asks an external authorization backend (HTTPExternalAuthFilter; GEP-1494).
// Whatever is not a clear yes refuses the request.
type auth struct {
	backend  ir.BackendKey
	protocol authProtocol
	maxBody  int
}

var _ step = (*auth)(nil)

// authProtocol is how a backend is asked and what its answer means.
type authProtocol interface {
	// question makes the request to send; body is what the client sent, or nil.
	question(x *Exchange, body []byte) (*exchange.Request, error)
	// verdict reads the answer. It edits the request and returns nil where the
	// request may pass, and otherwise returns the answer for the client.
	verdict(x *Exchange, answer *exchange.Response) *exchange.Response
}

// maxAuthAnswer bounds what is read of an authorization server's answer, in
// bytes (SECURITY: an unbounded reply would be a way to exhaust memory).
const maxAuthAnswer = 64 << 10

func compileAuth(spec *ir.ExternalAuth) (step, error) {
	a := &auth{backend: spec.Backend, maxBody: spec.MaxBodyBytes}
	for _, name := range slices.Concat(spec.RequestHeaders, spec.ResponseHeaders) {
		if !editing.ValidName(name) {
			return nil, fmt.Errorf("externalAuth: %q is not a header name", name)
		}
	}
	if spec.GRPC {
		a.protocol = &grpcAuth{send: lowerAll(spec.RequestHeaders)}
		return a, nil
	}
	prefix := ""
	if spec.PathPrefix != "" {
		normal, err := editing.Rooted(spec.PathPrefix)
		if err != nil {
			return nil, fmt.Errorf("externalAuth.pathPrefix: %q: %w", spec.PathPrefix, err)
		}
		prefix = strings.TrimSuffix(normal, "/")
	}
	a.protocol = &httpAuth{
		prefix: prefix,
		send:   lowerAll(spec.RequestHeaders),
		accept: lowerAll(spec.ResponseHeaders),
	}
	return a, nil
}

func lowerAll(names []string) []string {
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	return lower
}

func (a *auth) request(ctx context.Context, x *Exchange) *exchange.Response {
	if x.Ask == nil {
		return refusal(x)
	}
	body, answer := a.takeBody(x)
	if answer != nil {
		return answer
	}
	question, err := a.protocol.question(x, body)
	if err != nil {
		return refusal(x)
	}
	reply, err := x.Ask.Ask(ctx, a.backend, question)
	if err != nil || reply == nil {
		return refusal(x)
	}
	defer closeBody(reply)
	return a.protocol.verdict(x, reply)
}

// response adds what the server granted to the client's answer.
func (a *auth) response(x *Exchange, r *exchange.Response) {
	for _, f := range x.granted {
		r.Header.Set(f.Name, f.Value)
	}
	x.granted = nil
}

// refusal is the answer where the server said no without a word, or could not
// be asked.
func refusal(x *Exchange) *exchange.Response {
	return Answer(403, "Access denied.", x.GRPC)
}

var errTooLong = errors.New("longer than the limit")

// takeBody reads the request's body, and puts it back for the backend.
func (a *auth) takeBody(x *Exchange) ([]byte, *exchange.Response) {
	r := x.Request
	if a.maxBody == 0 || r.Body == nil || r.Length == 0 {
		return nil, nil
	}
	if r.Length > int64(a.maxBody) {
		return nil, Answer(413, "The request is longer than its authorization allows.", x.GRPC)
	}
	body, err := readAtMost(r.Body, a.maxBody)
	switch {
	case errors.Is(err, errTooLong):
		return nil, Answer(413, "The request is longer than its authorization allows.", x.GRPC)
	case errors.Is(err, exchange.ErrStalled):
		return nil, Answer(408, "The request's body did not come.", x.GRPC)
	case err != nil:
		return nil, Answer(400, "The request's body could not be read.", x.GRPC)
	}
	r.Body = &replay{Reader: bytes.NewReader(body), under: r.Body}
	r.Length = int64(len(body))
	return body, nil
}

// readAtMost reads to the end, or fails with errTooLong.
func readAtMost(from io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = errTooLong
	}
	return body, err
}

// replay is a body that has been read already; closing it closes the real one.
type replay struct {
	*bytes.Reader
	under io.Closer
}

var _ io.ReadCloser = (*replay)(nil)

func (r *replay) Close() error { return r.under.Close() }

func closeBody(r *exchange.Response) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// httpAuth asks with a plain request and takes 200 for a yes.
type httpAuth struct {
	prefix string
	// send and accept are lower case names.
	send, accept []string
}

var _ authProtocol = (*httpAuth)(nil)

// question sends the method, host, path and Authorization of the request, and
// the headers that the rule names (HTTPAuthConfig.allowedHeaders).
func (h *httpAuth) question(x *Exchange, body []byte) (*exchange.Request, error) {
	// What may be in the path, the door has decided.
	path, err := requestpath.KeepSlashes.Normalise(h.prefix + x.path)
	if err != nil {
		return nil, err
	}
	r := x.Request
	q := &exchange.Request{
		Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Host: r.Host,
		Path: path, Query: r.Query, HasQuery: r.HasQuery,
		Body: io.NopCloser(bytes.NewReader(body)), Length: int64(len(body)), Proto: 1,
		Client: r.Client, Peer: r.Peer, Port: r.Port,
	}
	for _, f := range r.Header {
		name := strings.ToLower(f.Name)
		if (name == "authorization" || slices.Contains(h.send, name)) && !editing.Framing(name) {
			q.Header.Add(f.Name, f.Value)
		}
	}
	return q, nil
}

func (h *httpAuth) verdict(x *Exchange, answer *exchange.Response) *exchange.Response {
	if answer.Status != 200 {
		return denied(x, answer)
	}
	header := &x.Request.Header
	for _, name := range h.accept {
		// What the server vouches for must not come from the client.
		if !describesBody(name) {
			x.Request.Vouch(name)
			header.Del(name)
		}
	}
	copied := map[string]bool{}
	for _, f := range answer.Header {
		name := strings.ToLower(f.Name)
		if describesBody(name) || len(h.accept) > 0 && !slices.Contains(h.accept, name) {
			continue
		}
		if !copied[name] {
			x.Request.Vouch(name)
			header.Del(name)
			copied[name] = true
		}
		header.Add(f.Name, f.Value)
	}
	return nil
}

// describesBody reports whether a lower case name tells about the message that
// it came with, and would be wrong in any other.
func describesBody(name string) bool {
	return editing.Framing(name) || strings.HasPrefix(name, "content-") || strings.HasPrefix(name, ":")
}

// denied hands a refusal on, so that a login page or a challenge reaches the
// client. A failure of the server itself is a plain refusal: its text is not
// meant for clients.
func denied(x *Exchange, answer *exchange.Response) *exchange.Response {
	if answer.Status < 300 || answer.Status > 499 || x.GRPC {
		if x.GRPC && answer.Status >= 400 && answer.Status <= 499 {
			return Answer(answer.Status, "Access denied.", true)
		}
		return refusal(x)
	}
	made := &exchange.Response{Status: answer.Status}
	for _, f := range answer.Header {
		if !editing.Framing(f.Name) {
			made.Header.Add(f.Name, f.Value)
		}
	}
	if answer.Body == nil {
		return made
	}
	body, err := readAtMost(answer.Body, maxAuthAnswer)
	if err != nil {
		return refusal(x)
	}
	made.Body, made.Length = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return made
}
