package detour_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/ir"
)

// passing is a rig whose rule needs the agent for every request.
func passing(t *testing.T, protocol ir.BackendProtocol, handler http.HandlerFunc) string {
	t.Helper()
	r := newRig(t)
	one := r.backend(protocol, handler)
	server := r.backend(ir.BackendHTTP1, http.HandlerFunc(vouches))
	r.route(ir.Rule{Filters: []ir.Filter{auth(server)}}, one)
	return r.start()
}

var protocols = []ir.BackendProtocol{ir.BackendHTTP1, ir.BackendH2C}

// h2c is a client of HTTP/2 in plain text.
func h2c(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func post(t *testing.T, at string, body io.Reader) *http.Request {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "allow")
	return q
}

// TestConversation has both sides speak in turns, as streams of gRPC do, and trailers
// at both ends.
func TestConversation(t *testing.T) {
	at := passing(t, ir.BackendH2C, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Got")
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(w, "got "+lines.Text())
			w.(http.Flusher).Flush()
		}
		w.Header().Set("Got", r.Trailer.Get("Said"))
	})
	theirs, ours := io.Pipe()
	q := post(t, at, theirs)
	q.Header.Set("Content-Type", "application/grpc")
	q.Trailer = http.Header{"Said": nil}
	answer, err := h2c(t).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	for _, word := range []string{"one", "two", "three"} {
		_, _ = fmt.Fprintln(ours, word)
		if line, err := lines.ReadString('\n'); line != "got "+word+"\n" {
			t.Fatalf("after %q came %q, %v", word, line, err)
		}
	}
	q.Trailer.Set("Said", "all")
	ours.Close()
	if _, err := lines.ReadByte(); err != io.EOF {
		t.Errorf("the answer ends with %v", err)
	}
	if got := answer.Trailer.Get("Got"); got != "all" {
		t.Errorf("the trailer is %q", got)
	}
}

func TestWebSocketBehindAuthorization(t *testing.T) {
	at := passing(t, ir.BackendHTTP1, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	})
	_, refused, err := websocket.Dial(t.Context(), "ws://"+at+"/", nil)
	if err == nil || refused.StatusCode != http.StatusUnauthorized {
		t.Errorf("without credentials: %v", err)
	}
	c, _, err := websocket.Dial(t.Context(), "ws://"+at+"/", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"allow"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for _, message := range []string{"a", strings.Repeat("b", 30_000)} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); string(got) != message {
			t.Fatalf("%d bytes came back as %d, %v", len(message), len(got), err)
		}
	}
}

func TestLargeBodiesPass(t *testing.T) {
	const size = 32 << 20
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			at := passing(t, protocol, echo)
			answer := do(t, post(t, at, io.LimitReader(zeros{}, size)))
			if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
				t.Errorf("%d bytes of %d came back: %v", n, size, err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestClientGoneIsToldToTheBackend ends a request while its backend thinks.
func TestClientGoneIsToldToTheBackend(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			began, ended := make(chan struct{}, 1), make(chan struct{}, 1)
			at := passing(t, protocol, func(_ http.ResponseWriter, r *http.Request) {
				began <- struct{}{}
				<-r.Context().Done()
				ended <- struct{}{}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			q := post(t, at, nil).WithContext(ctx)
			go func() {
				<-began
				cancel()
			}()
			if answer, err := http.DefaultClient.Do(q); err == nil {
				answer.Body.Close()
				t.Fatalf("got %d", answer.StatusCode)
			}
			within(t, ended, "the backend's request ends")
		})
	}
}

func within(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("it did not come to pass: %s", what)
	}
}

// TestRefusedBeforeTheBody has an authorization server refuse a body that never comes
// whole.
func TestRefusedBeforeTheBody(t *testing.T) {
	at := passing(t, ir.BackendHTTP1, echo)
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %v, %v", answer, err)
	}
}

// TestContinue has a client wait until it is told to go on.
func TestContinue(t *testing.T) {
	at := passing(t, ir.BackendHTTP1, echo)
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: allow\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
	from := bufio.NewReader(c)
	if line, err := from.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("got %q, %v", line, err)
	}
	_, _ = from.ReadString('\n')
	_, _ = io.WriteString(c, "body")
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(answer.Body); string(body) != "body" {
		t.Errorf("got %q, %v", body, err)
	}
}

// TestTimeHolds has a backend that never answers behind a rule with a bound.
func TestTimeHolds(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			r := newRig(t)
			one := r.backend(protocol, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			server := r.backend(ir.BackendHTTP1, http.HandlerFunc(vouches))
			r.route(ir.Rule{
				Filters:  []ir.Filter{auth(server), {ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Answered", Value: "1"}}}}},
				Timeouts: ir.RuleTimeouts{Request: ir.Duration(100 * time.Millisecond)},
			}, one)
			answer := do(t, post(t, r.start(), nil))
			if answer.StatusCode != http.StatusGatewayTimeout || answer.Header.Get("X-Answered") != "1" {
				t.Errorf("got %d %v", answer.StatusCode, answer.Header)
			}
		})
	}
}

// TestTrailers has trailers of both directions pass to a backend of either version.
func TestTrailers(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			at := passing(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", "Got, Own")
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
				w.Header().Set("Got", r.Trailer.Get("Said"))
				w.Header().Set("Own", "1")
			})
			for name, client := range map[string]*http.Client{"h1": http.DefaultClient, "h2c": h2c(t)} {
				q := post(t, at, io.LimitReader(zeros{}, 1000))
				q.Header.Set("Te", "trailers")
				q.Trailer = http.Header{"Said": {"all"}}
				answer, err := client.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if len(body) != 1000 || err != nil || answer.Trailer.Get("Got") != "all" || answer.Trailer.Get("Own") != "1" {
					t.Errorf("%s: %d bytes, %v, trailer %v", name, len(body), err, answer.Trailer)
				}
			}
		})
	}
}
