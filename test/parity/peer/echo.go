package peer

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// keep is how much of a body an answer repeats.
const keep = 2048

// serveHTTP serves HTTP/1.1 and HTTP/2, with or without TLS, until it is
// stopped.
func serveHTTP(c Config, listener net.Listener) func() {
	var handler http.Handler = echo{c}
	if c.Kind == AuthHTTP {
		handler = auth{c}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler:     handler,
		Protocols:   protocols,
		TLSConfig:   c.TLS,
		BaseContext: func(net.Listener) context.Context { return ctx },
		// Failed handshakes are what some cases are about.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c.TLS != nil {
			server.ServeTLS(listener, "", "")
			return
		}
		server.Serve(listener)
	}()
	return func() {
		cancel()
		server.Close()
		<-done
	}
}

type echo struct{ c Config }

var _ http.Handler = echo{}

func (e echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		serveGRPC(e.c, w, r)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		serveWebSocket(e.c, w, r)
	default:
		e.answer(w, r)
	}
}

func (e echo) answer(w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	seen := see(e.c, r, body)
	if err != nil {
		seen.Body = "error: " + err.Error()
	}
	e.c.Record.Add(seen)
	if failed(e.c, w, r) || !wait(r) {
		return
	}
	announce(w, r)
	status := http.StatusOK
	if text := r.Header.Get("X-Parity-Status"); text != "" {
		status, _ = strconv.Atoi(text)
	}
	if size, err := strconv.Atoi(r.Header.Get("X-Parity-Size")); err == nil {
		w.WriteHeader(status)
		fill(w, size)
	} else {
		writeJSON(w, status, seen)
	}
	for _, field := range r.Header.Values("X-Parity-Trailer") {
		name, value, _ := strings.Cut(field, ": ")
		w.Header().Set(name, value)
	}
}

// read reads a body to its end and returns what of it is to be repeated.
func read(r *http.Request) (body []byte, err error) {
	head, err := io.ReadAll(io.LimitReader(r.Body, keep))
	if err != nil {
		return head, err
	}
	rest, err := io.Copy(io.Discard, r.Body)
	r.ContentLength = int64(len(head)) + rest
	return head, err
}

func see(c Config, r *http.Request, body []byte) *Seen {
	seen := &Seen{
		Backend: c.Backend, Endpoint: c.Endpoint,
		Method: r.Method, Path: r.RequestURI, Host: r.Host, Proto: r.Proto,
		Headers: r.Header.Clone(), Trailers: r.Trailer.Clone(),
		Body: string(body), Length: max(r.ContentLength, int64(len(body))),
		Connection: r.RemoteAddr,
	}
	if r.TLS != nil {
		seen.SNI, seen.ALPN = r.TLS.ServerName, r.TLS.NegotiatedProtocol
		if len(r.TLS.PeerCertificates) > 0 {
			seen.ClientCN = r.TLS.PeerCertificates[0].Subject.CommonName
		}
	}
	return seen
}

// failed does what X-Parity-Fail asks for and reports whether the request has
// been dealt with.
func failed(c Config, w http.ResponseWriter, r *http.Request) bool {
	count, how, ok := strings.Cut(r.Header.Get("X-Parity-Fail"), " ")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || !c.Record.fails(c.Backend, r.Header.Get("X-Parity-Id"), n) {
		return false
	}
	switch how {
	case "close":
		panic(http.ErrAbortHandler)
	case "hang":
		<-r.Context().Done()
	default:
		status, _ := strconv.Atoi(how)
		http.Error(w, "as asked", status)
	}
	return true
}

// wait waits as long as the request asks for, and reports false where the
// client gave up meanwhile.
func wait(r *http.Request) bool {
	delay, err := time.ParseDuration(r.Header.Get("X-Parity-Delay"))
	if err != nil {
		return true
	}
	select {
	case <-time.After(delay):
		return true
	case <-r.Context().Done():
		return false
	}
}

func announce(w http.ResponseWriter, r *http.Request) {
	for _, field := range r.Header.Values("X-Parity-Set") {
		name, value, _ := strings.Cut(field, ": ")
		w.Header().Add(name, value)
	}
	for _, field := range r.Header.Values("X-Parity-Trailer") {
		name, _, _ := strings.Cut(field, ": ")
		w.Header().Add("Trailer", name)
	}
}

func writeJSON(w http.ResponseWriter, status int, seen *Seen) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(seen)
}

func fill(w io.Writer, size int) {
	chunk := []byte(strings.Repeat("0123456789abcdef", 64))
	for size > 0 {
		n := min(size, len(chunk))
		if _, err := w.Write(chunk[:n]); err != nil {
			return
		}
		size -= n
	}
}

// serveWebSocket says what it got as the first message and repeats every
// message after that.
func serveWebSocket(c Config, w http.ResponseWriter, r *http.Request) {
	seen := see(c, r, nil)
	c.Record.Add(seen)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, Subprotocols: []string{"parity"},
	})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	hello, _ := json.Marshal(seen)
	if conn.Write(r.Context(), websocket.MessageText, hello) != nil {
		return
	}
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
