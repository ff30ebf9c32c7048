package parity

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"time"
)

// patience bounds what must happen: it is only waited out where it does not.
const patience = 20 * time.Second

// keepBody is how much of a body is kept for comparing.
const keepBody = 1 << 16

// http makes a step's requests and returns the answers.
func (p *play) http(ctx context.Context, id string, r *Request) ([]*answer, int, error) {
	request := p.defaults(*r)
	l, err := p.link(request.Target, request.Host, request.Scheme == "https")
	if err != nil {
		return nil, 0, err
	}
	transport, closing, err := request.transport(l)
	if err != nil {
		return nil, 0, err
	}
	defer closing()
	once := func() *answer { return p.exchange(ctx, id, &request, transport) }
	// The first goes alone: a client that has no connection yet opens one for
	// each request, even of HTTP/2.
	answers := append(p.repeat(1, 1, once), p.repeat(request.Times-1, request.Concurrency, once)...)
	return answers, int(l.dials.Load()), nil
}

// repeat does something several times, several at once.
func (p *play) repeat(times, concurrency int, once func() *answer) []*answer {
	answers := make([]*answer, max(times, 0))
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(concurrency, 1) {
		wg.Go(func() {
			for i := range next {
				began := time.Now()
				answers[i] = once()
				answers[i].took = time.Since(began)
			}
		})
	}
	for i := range answers {
		next <- i
	}
	close(next)
	wg.Wait()
	return answers
}

func (p *play) defaults(r Request) Request {
	r.Method = or(r.Method, http.MethodGet)
	r.Scheme = or(r.Scheme, "http")
	r.Host = or(r.Host, "a.example")
	r.Path = p.fill(or(r.Path, "/"))
	r.Protocol = or(r.Protocol, "http1")
	return r
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// transport makes a step's client, and what closes its connections.
func (r *Request) transport(l *link) (client http.RoundTripper, closing func(), err error) {
	protocols, config := new(http.Protocols), l.tls
	switch r.Protocol {
	case "http1":
		protocols.SetHTTP1(true)
	case "h2":
		protocols.SetHTTP2(true)
		config = insisting(l.tls)
	case "h2c":
		protocols.SetUnencryptedHTTP2(true)
	case "h3":
		client, closing = l.http3()
		return client, closing, nil
	default:
		return nil, nil, fmt.Errorf("protocol %q is none of http1, h2, h2c, h3", r.Protocol)
	}
	overTCP := &http.Transport{
		Protocols:       protocols,
		TLSClientConfig: config,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.dial(ctx)
		},
		DisableCompression:    true,
		ExpectContinueTimeout: patience,
		MaxIdleConnsPerHost:   64,
	}
	if l.tls == nil {
		// A scheme is claimed that is not spoken.
		overTCP.DialTLSContext = overTCP.DialContext
	}
	return overTCP, overTCP.CloseIdleConnections, nil
}

// insisting ends handshakes that do not lead to HTTP/2, where net/http would go on
// with HTTP/1.1.
func insisting(config *tls.Config) *tls.Config {
	config = config.Clone()
	if config == nil {
		return nil
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if state.NegotiatedProtocol != "h2" {
			return fmt.Errorf("HTTP/2 is not offered, but %q", state.NegotiatedProtocol)
		}
		return nil
	}
	return config
}

// exchange makes one request.
func (p *play) exchange(ctx context.Context, id string, r *Request, transport http.RoundTripper) *answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := &answer{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { a.continued = true }})
	request, err := p.httpRequest(ctx, id, r)
	if err != nil {
		return &answer{err: err}
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return &answer{err: err}
	}
	defer response.Body.Close()
	p.keepCookies(r.Jar, response)
	a.take(response)
	return a
}

func (a *answer) take(response *http.Response) {
	var kept bytes.Buffer
	n, err := io.Copy(&kept, io.LimitReader(response.Body, keepBody))
	rest, restErr := io.Copy(io.Discard, response.Body)
	a.err = firstError(err, restErr)
	a.status, a.proto, a.header = response.StatusCode, response.Proto, response.Header
	a.trailer, a.body, a.length = response.Trailer, kept.Bytes(), int(n+rest)
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		a.leaf = response.TLS.PeerCertificates[0]
	}
	a.readSeen()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *play) httpRequest(ctx context.Context, id string, r *Request) (*http.Request, error) {
	address, err := p.proxy.Address(r.Gateway)
	if err != nil {
		return nil, err
	}
	request := (&http.Request{
		Method: r.Method, Host: r.Host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		// An opaque path goes out as it is written, and a connection is kept
		// under the address alone.
		URL: &url.URL{Scheme: or(r.Claims, r.Scheme), Host: address, Opaque: r.Path},
	}).WithContext(ctx)
	request.Header["User-Agent"] = []string{"parity"}
	request.Header["X-Parity-Id"] = []string{id}
	for _, field := range r.Headers {
		name, value, _ := strings.Cut(p.fill(field), ": ")
		request.Header[name] = append(request.Header[name], value)
	}
	p.sendCookies(r.Jar, request)
	r.setBody(request)
	return request, nil
}

func (r *Request) setBody(request *http.Request) {
	body := r.Body
	if r.BodySize > 0 {
		body = strings.Repeat("0123456789abcdef", r.BodySize/16+1)[:r.BodySize]
	}
	if body == "" {
		return
	}
	request.Body = io.NopCloser(strings.NewReader(body))
	request.ContentLength = int64(len(body))
	if r.Chunked || len(r.Trailers) > 0 {
		request.ContentLength = -1
	}
	for _, field := range r.Trailers {
		name, value, _ := strings.Cut(field, ": ")
		if request.Trailer == nil {
			request.Trailer = http.Header{}
		}
		request.Trailer.Add(textproto.CanonicalMIMEHeaderKey(name), value)
	}
}

func (p *play) keepCookies(jar string, response *http.Response) {
	if jar == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.world.jars[jar] == nil {
		p.world.jars[jar] = map[string]string{}
	}
	for _, cookie := range response.Cookies() {
		p.world.jars[jar][cookie.Name] = cookie.Value
	}
}

func (p *play) sendCookies(jar string, request *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, value := range p.world.jars[jar] {
		request.Header.Add("Cookie", name+"="+value)
	}
}
