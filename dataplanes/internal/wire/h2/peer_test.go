package h2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// unencrypted are the protocols of those who speak HTTP/2 without TLS.
func unencrypted() *http.Protocols {
	p := &http.Protocols{}
	p.SetUnencryptedHTTP2(true)
	return p
}

// transport is Go's own client.
func transport(t testing.TB) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, Protocols: unencrypted()}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patient}
}

// h2cBackend is Go's own server before a handler.
func h2cBackend(t testing.TB, h http.HandlerFunc, config ...http.HTTP2Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, Protocols: unencrypted()}
	if len(config) > 0 {
		s.HTTP2 = &config[0]
	}
	t.Cleanup(func() { s.Close() })
	go s.Serve(ln)
	return ln.Addr().String()
}

// poolTo is a pool before an address.
func poolTo(t testing.TB, addr string) *Pool {
	t.Helper()
	p := &Pool{Dial: func(ctx context.Context) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return rawconn.New(c), nil
	}}
	t.Cleanup(p.Close)
	return p
}

// through is a server before a pool.
func through(t testing.TB, p *Pool) *rig {
	t.Helper()
	return newRig(t, p.carry).start()
}

// carry is a handler that sends to a pool.
func (p *Pool) carry(ctx context.Context, q *exchange.Request) *exchange.Response {
	answer, err := p.Do(ctx, exchange.Ask{Request: q})
	for errors.Is(err, exchange.ErrUnseen) {
		answer, err = p.Do(ctx, exchange.Ask{Request: q})
	}
	if err == nil {
		return answer
	}
	var why *Error
	if errors.As(err, &why) {
		return &exchange.Response{Status: why.Status}
	}
	return &exchange.Response{Status: 500}
}

func echoHandler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	w.Header().Set("X-Path", r.URL.RequestURI())
	w.Header().Set("X-Cookie", r.Header.Get("Cookie"))
	sum := sha256.New()
	io.Copy(w, io.TeeReader(r.Body, sum))
	w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
	for name, values := range r.Trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
}

func TestGoClientThroughProxyToGoServer(t *testing.T) {
	r := through(t, poolTo(t, h2cBackend(t, echoHandler)))
	client := transport(t)
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, i*i*300)
			q, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.addr+"/a?b=c", io.NopCloser(bytes.NewReader(body)))
			q.Trailer = http.Header{"X-Mine": {"yes"}}
			p, err := client.Do(q)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Body.Close()
			got, err := io.ReadAll(p.Body)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d: got %d octets, %v, want %d", i, len(got), err, len(body))
			}
			if p.Trailer.Get("X-Sum") != fmt.Sprintf("%x", sha256.Sum256(body)) || p.Trailer.Get("X-Mine") != "yes" {
				t.Errorf("%d: trailers %v", i, p.Trailer)
			}
			if p.Header.Get("X-Path") != "/a?b=c" {
				t.Errorf("%d: header %v", i, p.Header)
			}
		})
	}
	all.Wait()
}

// TestLargeDownload is long enough for a client's WINDOW_UPDATEs to be taken for
// a flood.
func TestLargeDownload(t *testing.T) {
	const pieces = 1 << 6
	piece := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	r := through(t, poolTo(t, h2cBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		for range pieces {
			w.Write(piece)
		}
	})))
	p, err := transport(t).Get("http://" + r.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	got := make([]byte, len(piece))
	for i := range pieces {
		if _, err := io.ReadFull(p.Body, got); err != nil || !bytes.Equal(got, piece) {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	if n, err := p.Body.Read(got); n > 0 || err != io.EOF {
		t.Errorf("got %d, %v, want the end", n, err)
	}
}

func TestHeadersSurvive(t *testing.T) {
	r := through(t, poolTo(t, h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		for i := range 50 {
			w.Header().Set(fmt.Sprintf("X-H%d", i), r.Header.Get(fmt.Sprintf("X-Q%d", i)))
		}
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(204)
	})))
	client := transport(t)
	for turn := range 50 {
		q, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.addr+"/", nil)
		for i := range 50 {
			q.Header.Set(fmt.Sprintf("X-Q%d", i), strings.Repeat("v", i)+fmt.Sprint(turn%(i+1)))
		}
		p, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if got, want := p.Header.Get(fmt.Sprintf("X-H%d", i)), q.Header.Get(fmt.Sprintf("X-Q%d", i)); got != want {
				t.Fatalf("turn %d, field %d: got %q, want %q", turn, i, got, want)
			}
		}
		if len(p.Header["Set-Cookie"]) != 2 || p.StatusCode != 204 {
			t.Fatalf("got %v", p)
		}
	}
}

// TestBothWaysAtOnce has a client that sends its next word when it has got the
// answer to the last.
func TestBothWaysAtOnce(t *testing.T) {
	r := through(t, poolTo(t, h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		buf := make([]byte, 10)
		for {
			n, err := r.Body.Read(buf)
			w.Write(bytes.ToUpper(buf[:n]))
			http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	})))
	in, out := io.Pipe()
	q, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.addr+"/", in)
	p, err := transport(t).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	for _, word := range []string{"one", "two", "three"} {
		io.WriteString(out, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(p.Body, got); err != nil || string(got) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	out.Close()
	if rest, err := io.ReadAll(p.Body); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestCancelReachesTheBackend(t *testing.T) {
	come, gone := make(chan struct{}), make(chan struct{})
	r := through(t, poolTo(t, h2cBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		close(come)
		<-r.Context().Done()
		close(gone)
	})))
	p := r.dial().hello()
	p.get(1)
	<-come
	p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	select {
	case <-gone:
	case <-time.After(patient):
		t.Fatal("the backend was not told")
	}
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for until := time.Now().Add(patient); !ok(); <-again.C {
		if time.Now().After(until) {
			t.Fatal("it did not come about")
		}
	}
}

func TestRefusedStreamsAreSentAgain(t *testing.T) {
	r := through(t, poolTo(t, h2cBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok")
	}, http.HTTP2Config{MaxConcurrentStreams: 3})))
	client := transport(t)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			p, err := client.Get("http://" + r.addr + "/")
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Body.Close()
			if got, _ := io.ReadAll(p.Body); string(got) != "ok" {
				t.Errorf("got %d %q", p.StatusCode, got)
			}
		})
	}
	all.Wait()
}

func TestUnreachable(t *testing.T) {
	p := &Pool{Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("no") }}
	_, err := p.Do(t.Context(), exchange.Ask{Request: plainGet()})
	if !errors.Is(err, exchange.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// TestHintsAreHandedOn has a backend that says something before its answer.
func TestHintsAreHandedOn(t *testing.T) {
	r := through(t, poolTo(t, h2cBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "ok")
	})))
	p := r.dial().hello()
	p.get(1)
	if got := p.status(); got != http.StatusEarlyHints {
		t.Fatalf("got %d, want 103", got)
	}
	if len(p.fields) != 2 || p.fields[1].Name != "link" {
		t.Errorf("got %v", p.fields)
	}
	if got := p.status(); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	want{}.living(t, p)
}

// TestWeakCipherSuite has a server of TLS 1.2 and a client that agree on what RFC
// 9113 prohibits.
func TestWeakCipherSuite(t *testing.T) {
	for suite, want := range map[uint16]bool{
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:    false,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true,
	} {
		server, client := tlsPair(t)
		server.MaxVersion, server.CipherSuites = tls.VersionTLS12, []uint16{suite}
		client.CipherSuites = []uint16{suite}
		r := newRig(t, answering)
		r.wrap = func(c net.Conn) net.Conn { return tls.Server(c, server) }
		r.start()
		c, err := tls.Dial("tcp", r.addr, client)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		p := newRawPeer(t, c)
		if want {
			p.hello().get(1)
			if got := p.status(); got != 200 {
				t.Errorf("%s: got %d", tls.CipherSuiteName(suite), got)
			}
			continue
		}
		if got := p.next(); !got.goAway || got.code != http2.ErrCodeInadequateSecurity {
			t.Errorf("%s: got %+v, want GOAWAY", tls.CipherSuiteName(suite), got)
		}
	}
}

// tlsPair is what a server and a client need to agree on HTTP/2.
func tlsPair(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.EnableHTTP2 = true
	certificate.StartTLS()
	t.Cleanup(certificate.Close)
	server = certificate.TLS.Clone()
	server.NextProtos = []string{"h2"}
	roots := certificate.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return server, &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}}
}

// TestOverTLS has Go's client and ours agree on h2 with a server of ours.
func TestOverTLS(t *testing.T) {
	config, trusting := tlsPair(t)
	server := &Server{Handler: &handler{echoing, &observer{}}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	defer server.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go server.Serve(context.Background(), tls.Server(rawconn.New(c), config), nil)
		}
	}()
	pool := &Pool{TLS: true, Dial: func(ctx context.Context) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return nil, err
		}
		return tls.Client(rawconn.New(c), trusting), nil
	}}
	defer pool.Close()
	big := strings.Repeat("0123456789", 100_000)
	for range 3 {
		if got := fetch(pool, plainPost(big)); got != big {
			t.Fatalf("got %d octets", len(got))
		}
	}
	client := &http.Client{Timeout: patient, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusting.RootCAs, ServerName: trusting.ServerName}, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	p, err := client.Post("https://"+ln.Addr().String()+"/", "text/plain", strings.NewReader(big))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	if got, err := io.ReadAll(p.Body); err != nil || string(got) != big || p.ProtoMajor != 2 {
		t.Errorf("got %d octets by %s, %v", len(got), p.Proto, err)
	}
}
