package echo

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Answer is what the server says: who it is, and what it got.
type Answer struct {
	Name      string              `json:"name"`
	Namespace string              `json:"namespace,omitempty"`
	Service   string              `json:"service,omitempty"`
	Endpoint  string              `json:"endpoint"`
	Client    string              `json:"client"`
	Proto     string              `json:"proto"`
	Method    string              `json:"method"`
	Host      string              `json:"host"`
	Path      string              `json:"path"`
	Query     string              `json:"query,omitempty"`
	Headers   map[string][]string `json:"headers"`
	BodyBytes int64               `json:"bodyBytes"`
	TLS       *TLSAnswer          `json:"tls,omitempty"`
}

// TLSAnswer is what the server saw of the client's handshake.
type TLSAnswer struct {
	Version    string   `json:"version"`
	ServerName string   `json:"serverName"`
	ALPN       string   `json:"alpn,omitempty"`
	ClientCert []string `json:"clientCertificates,omitempty"`
}

const (
	maxDelay = time.Minute
	maxSize  = 64 << 20
)

// knobs are what a request asks of its own answer, each as a query parameter
// ("status") or a header ("X-Echo-Status").
type knobs struct {
	status int
	delay  time.Duration
	// size is the number of bytes to answer with, instead of the Answer.
	size int
	// close cuts the connection without an answer.
	close bool
	// headers are "Name: value", added to the answer.
	headers []string
}

func readKnobs(r *http.Request) (knobs, error) {
	query := r.URL.Query()
	get := func(name string) string {
		if v := query.Get(name); v != "" {
			return v
		}
		return r.Header.Get("X-Echo-" + name)
	}
	k := knobs{status: http.StatusOK, size: -1, headers: append(query["header"], r.Header.Values("X-Echo-Header")...)}
	k.close = query.Has("close") || r.Header.Get("X-Echo-Close") != ""
	var err error
	if v := get("status"); v != "" {
		if k.status, err = strconv.Atoi(v); err != nil || k.status < 200 || k.status > 599 {
			return k, fmt.Errorf("status %q: want a number from 200 to 599", v)
		}
	}
	if v := get("delay"); v != "" {
		if k.delay, err = time.ParseDuration(v); err != nil || k.delay < 0 || k.delay > maxDelay {
			return k, fmt.Errorf("delay %q: want a duration up to %v, such as 250ms", v, maxDelay)
		}
	}
	if v := get("size"); v != "" {
		if k.size, err = strconv.Atoi(v); err != nil || k.size < 0 || k.size > maxSize {
			return k, fmt.Errorf("size %q: want a number of bytes up to %d", v, maxSize)
		}
	}
	return k, nil
}

func (s *Server) plain(w http.ResponseWriter, r *http.Request) {
	k, err := readKnobs(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !wait(r, k.delay) {
		return
	}
	if k.close {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Echo-Name", s.opts.Name)
	for _, h := range k.headers {
		name, value, _ := strings.Cut(h, ":")
		w.Header().Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	s.answer(w, s.describe(r, body), k)
}

// wait holds an answer back; it returns false where the client has gone.
func wait(r *http.Request, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (s *Server) answer(w http.ResponseWriter, a Answer, k knobs) {
	if k.size >= 0 {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(k.size))
		w.WriteHeader(k.status)
		_, _ = io.CopyN(w, zeros{}, int64(k.size))
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(k.status)
	if k.status == http.StatusNoContent || k.status == http.StatusNotModified {
		return
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(a)
}

func (s *Server) describe(r *http.Request, body int64) Answer {
	return Answer{
		Name: s.opts.Name, Namespace: s.opts.Namespace, Service: s.opts.Service,
		Endpoint: s.address.String(), Client: r.RemoteAddr,
		Proto: r.Proto, Method: r.Method, Host: r.Host,
		Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Headers: r.Header, BodyBytes: body, TLS: describeTLS(r.TLS),
	}
}

func describeTLS(state *tls.ConnectionState) *TLSAnswer {
	if state == nil {
		return nil
	}
	a := &TLSAnswer{Version: tls.VersionName(state.Version), ServerName: state.ServerName, ALPN: state.NegotiatedProtocol}
	for _, cert := range state.PeerCertificates {
		a.ClientCert = append(a.ClientCert, cert.Subject.String())
	}
	return a
}

// zeros reads as letters without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// webSocket sends every message back until the client closes.
func (s *Server) webSocket(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Echo-Name", s.opts.Name)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		kind, data, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if conn.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}
