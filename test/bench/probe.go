package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/backend"
)

// added are the fields that each proxy must add to a request, so that all do
// the same work.
var added = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Request-Id"}

// probe says why a proxy cannot be measured in a scenario, by one request whose
// answer is looked at as a whole, which load generators do not do.
func (r *rig) probe(ctx context.Context, c *candidate, s scenario) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	port := s.port(c.setup.Ports)
	if s.client == datagrams {
		return probeUDP(ctx, s.url(port))
	}
	client := s.httpClient()
	defer client.CloseIdleConnections()
	answer, body, err := r.askOnce(ctx, client, s, s.url(port))
	if err != nil {
		return err
	}
	switch {
	case s.grpc && (answer.Trailer.Get("grpc-status") != "0" || len(body) != 5+len(backend.Small)):
		return fmt.Errorf("the call has %d bytes and grpc-status %q", len(body), answer.Trailer.Get("grpc-status"))
	case !s.grpc && len(body) != s.answerSize():
		return fmt.Errorf("the answer has %d bytes, not %d", len(body), s.answerSize())
	case s.grpc || s.raw || s.upload:
		return nil
	}
	_, head, err := r.askOnce(ctx, client, s, s.url(port)+"/head")
	if err != nil {
		return err
	}
	return allAdded(head)
}

func (s scenario) answerSize() int {
	if s.path == large {
		return backend.Big
	}
	return len(backend.Small)
}

func allAdded(head string) error {
	head = strings.ToLower(head)
	for _, name := range added {
		if !strings.Contains(head, "\r\n"+strings.ToLower(name)+": ") {
			return fmt.Errorf("%s is not added to requests, so its work cannot be compared", name)
		}
	}
	return nil
}

// httpClient speaks what the scenario's load generator will.
func (s scenario) httpClient() *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(s.client != h2loadH2)
	p.SetHTTP2(s.client == h2loadH2 && s.tls)
	p.SetUnencryptedHTTP2(s.client == h2loadH2 && !s.tls)
	return &http.Client{Transport: &http.Transport{
		Protocols: p, DisableCompression: true,
		// The certificate was made for this run; who serves it is not in question.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"},
	}}
}

func (r *rig) askOnce(ctx context.Context, client *http.Client, s scenario, url string) (*http.Response, string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	if file := r.bodyOf(s); file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, "", err
		}
		q.Method, q.Body, q.ContentLength = http.MethodPost, io.NopCloser(bytes.NewReader(content)), int64(len(content))
	}
	for _, f := range s.fields() {
		name, value, _ := strings.Cut(f, ": ")
		q.Header.Set(name, value)
	}
	answer, err := client.Do(q)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	if err == nil && answer.TLS != nil && answer.TLS.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		err = errors.New("another cipher than the others': " + tls.CipherSuiteName(answer.TLS.CipherSuite))
	}
	return answer, string(body), err
}

// bodyOf is the file that each request of a scenario carries.
func (r *rig) bodyOf(s scenario) string {
	switch {
	case s.grpc:
		return r.call
	case s.upload:
		return r.body
	}
	return ""
}

func probeUDP(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "ping"); err != nil {
		return err
	}
	buf := make([]byte, 16)
	n, err := conn.Read(buf)
	if err == nil && string(buf[:n]) != "ping" {
		err = fmt.Errorf("%q came back", buf[:n])
	}
	return err
}
