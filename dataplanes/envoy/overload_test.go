package envoy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	envoytest "github.com/sluice-gateway/sluice/test/envoy"
)

// answering starts an Envoy that answers 204 to everything, and returns where.
func answering(t *testing.T, a allowed) string {
	t.Helper()
	p, err := startProcess(launch{program: envoytest.Program(t), node: "test", threads: 1, allowed: a})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().(*net.TCPAddr)
	ln.Close()
	listener := tryRoutes(&routev3.RouteConfiguration{Name: "all", VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 204}},
		}},
	}}})
	listener.Name, listener.BindToPort = "all", wrapperspb.Bool(true)
	listener.Address.GetSocketAddress().PortSpecifier = &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port)}

	p.server.Put(ads.Listeners, []ads.Resource{{Name: "all", Message: listener}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if refusals, err := p.server.Settle(ctx); err != nil || len(refusals) > 0 {
		t.Fatal(refusals, err)
	}
	return at.String()
}

func status(client *http.Client, at string) string {
	response, err := client.Get("http://" + at + "/")
	if err != nil {
		return "none"
	}
	response.Body.Close()
	return response.Status[:3]
}

// An Envoy that has more memory than it may have turns requests away.
func TestMemoryRunsOut(t *testing.T) {
	at := answering(t, allowed{memory: 1 << 20})
	wait.For(t, "new clients are turned away", func() bool {
		return status(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, at) == "none"
	})
}

// Of clients, as many are let in as there are descriptors for, half of which are
// left to backends.
func TestConnectionsRunOut(t *testing.T) {
	at := answering(t, allowed{connections: 3})
	var clients []*http.Client
	for i := range 3 {
		clients = append(clients, &http.Client{Transport: &http.Transport{}})
		wait.For(t, fmt.Sprint("client ", i, " is served"), func() bool { return status(clients[i], at) == "204" })
	}
	if got := status(&http.Client{Transport: &http.Transport{}}, at); got != "none" {
		t.Errorf("a client too many: %s", got)
	}
	clients[0].CloseIdleConnections()
	wait.For(t, "there is room again", func() bool {
		return status(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, at) == "204"
	})
}
