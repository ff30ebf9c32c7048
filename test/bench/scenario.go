package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/test/bench/backend"
	"github.com/sluice-gateway/sluice/test/bench/proxies"
)

// client is who puts the load on.
type client int

const (
	wrk client = iota
	h2loadH1
	h2loadH2
	datagrams
	idlers
)

// scenario is one way to load every proxy.
type scenario struct {
	name, what string
	client     client
	port       func(proxies.Ports) int
	tls        bool
	path       string
	// raw is a scenario that bytes pass unread, so nothing is added to them.
	raw bool
	// headers is the number of fields that requests carry beside the usual.
	headers int
	// routes takes the paths of all routes in turns; upload sends 1 MiB.
	routes, upload, grpc bool
	clients, streams     int
	// half is the scenario whose highest rate is halved here.
	half string
	// beside is what goes on beside the load in half of the measurements.
	beside beside
}

func plain(p proxies.Ports) int  { return p.Plain }
func secure(p proxies.Ports) int { return p.TLS }
func many(p proxies.Ports) int   { return p.Routes }
func calls(p proxies.Ports) int  { return p.GRPC }
func tcp(p proxies.Ports) int    { return p.TCP }
func pass(p proxies.Ports) int   { return p.Pass }
func udp(p proxies.Ports) int    { return p.UDP }

const (
	ordinary = "/api/v1/users/42"
	large    = "/files/1m"
	method   = "/bench.Echo/Say"
)

// scenarios are all of them, in order: what is halved stands before its half.
func scenarios() []scenario {
	return []scenario{
		{name: "h1", what: "HTTP/1.1", port: plain, path: ordinary, clients: 32},
		{name: "h1-headers", what: "HTTP/1.1, 12 header fields", port: plain, path: ordinary, headers: 12, clients: 32},
		{name: "h1-routes", what: "HTTP/1.1, 1,000 routes", port: many, routes: true, clients: 32},
		{name: "last-route", what: "HTTP/1.1, the last of 1,000 routes", port: many, path: routePath(0), clients: 32, beside: lastRoute},
		{name: "h1-1m", what: "HTTP/1.1, responses of 1 MiB", port: plain, path: large, clients: 8},
		{name: "h1-up-1m", what: "HTTP/1.1, requests of 1 MiB", port: plain, path: ordinary, upload: true, clients: 8},
		{name: "h1-rate", what: "HTTP/1.1 at half of saturation", client: h2loadH1, port: plain, path: ordinary, clients: 32, half: "h1"},
		{name: "slow", what: "HTTP/1.1 beside 2,000 slow connections", port: plain, path: ordinary, clients: 32, beside: slowConnections},
		{name: "edits", what: "HTTP/1.1 beside 1,000 edits a minute", port: plain, path: ordinary, clients: 32, beside: edits},
		{name: "https", what: "HTTPS/1.1", port: secure, tls: true, path: ordinary, clients: 32},
		{name: "https-1m", what: "HTTPS/1.1, responses of 1 MiB", port: secure, tls: true, path: large, clients: 8},
		{name: "https-rate", what: "HTTPS/1.1 at half of saturation", client: h2loadH1, port: secure, tls: true, path: ordinary, clients: 32, half: "https"},
		{name: "h2", what: "HTTP/2 over TLS, 8 × 10 streams", client: h2loadH2, port: secure, tls: true, path: ordinary, clients: 8, streams: 10},
		{name: "h2-1m", what: "HTTP/2 over TLS, responses of 1 MiB", client: h2loadH2, port: secure, tls: true, path: large, clients: 4, streams: 2},
		{name: "h2-rate", what: "HTTP/2 over TLS at half of saturation", client: h2loadH2, port: secure, tls: true, path: ordinary, clients: 8, streams: 10, half: "h2"},
		{name: "grpc", what: "gRPC unary over h2c, 8 × 10 streams", client: h2loadH2, port: calls, path: method, grpc: true, clients: 8, streams: 10},
		{name: "grpc-rate", what: "gRPC unary at half of saturation", client: h2loadH2, port: calls, path: method, grpc: true, clients: 8, streams: 10, half: "grpc"},
		{name: "tcp", what: "TCP, small answers", port: tcp, raw: true, path: ordinary, clients: 32},
		{name: "tcp-1m", what: "TCP, answers of 1 MiB", port: tcp, raw: true, path: large, clients: 8},
		{name: "pass", what: "TLS passed through by SNI, small answers", port: pass, tls: true, raw: true, path: ordinary, clients: 32},
		{name: "pass-1m", what: "TLS passed through by SNI, answers of 1 MiB", port: pass, tls: true, raw: true, path: large, clients: 8},
		{name: "udp", what: "UDP, there and back", client: datagrams, port: udp, raw: true, clients: 16},
		{name: "idle", what: "idle HTTP/1.1 connections", client: idlers, port: plain, path: ordinary},
		{name: "idle-https", what: "idle HTTPS/1.1 connections", client: idlers, port: secure, tls: true, path: ordinary},
	}
}

func names() []string {
	var all []string
	for _, s := range scenarios() {
		all = append(all, s.name)
	}
	return all
}

// choose returns the scenarios that are asked for; none asks for all.
func choose(asked []string) ([]scenario, error) {
	all := scenarios()
	if len(asked) == 0 {
		return all, nil
	}
	for _, a := range asked {
		if !slices.ContainsFunc(all, func(s scenario) bool { return s.is(a) }) {
			return nil, fmt.Errorf("-scenarios: there is no %q, but %s", a, strings.Join(names(), ", "))
		}
	}
	return slices.DeleteFunc(all, func(s scenario) bool {
		return !slices.ContainsFunc(asked, s.is)
	}), nil
}

func (s scenario) is(asked string) bool {
	prefix, all := strings.CutSuffix(asked, "*")
	return s.name == asked || all && strings.HasPrefix(s.name, prefix)
}

func (s scenario) url(port int) string {
	switch {
	case s.client == datagrams:
		return fmt.Sprintf("127.0.0.1:%d", port)
	case s.tls:
		return fmt.Sprintf("https://localhost:%d%s", port, s.onePath())
	}
	return fmt.Sprintf("http://localhost:%d%s", port, s.onePath())
}

func (s scenario) onePath() string {
	if s.routes {
		return routePath(0)
	}
	return s.path
}

// last takes the last of some routes.
func (s scenario) last(count int) scenario {
	s.path = routePath(count - 1)
	return s
}

func routePath(n int) string { return fmt.Sprintf("/r%04d/users/42", n) }

func (s scenario) paths(count int) []string {
	if !s.routes {
		return nil
	}
	all := make([]string, count)
	for i := range all {
		all[i] = routePath(i)
	}
	return all
}

func (s scenario) fields() []string {
	if s.grpc {
		return []string{"content-type: application/grpc", "te: trailers"}
	}
	var all []string
	for i := range s.headers {
		all = append(all, fmt.Sprintf("X-Field-%d: some-value-%d-abcdefghij", i, i))
	}
	return all
}

// bytes is how many bytes of a body a request moves, where that is what counts.
func (s scenario) bytes() int {
	if s.path == large || s.upload {
		return backend.Big
	}
	return 0
}
