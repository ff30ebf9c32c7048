package envoy

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	directv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/direct_response/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// chains returns what a port does with its connections: one filter chain serves
// plain HTTP, and one each listener of TLS.
func (c *Config) chains(p *order.Port) []*listenerv3.FilterChain {
	if !speaksTLS(p) {
		all := append(c.plainChains(p), c.streamChains(p)...)
		if len(all) == 0 {
			// Envoy has no listener that does nothing.
			all = append(all, &listenerv3.FilterChain{Name: "nobody", Filters: []*listenerv3.Filter{answering("")}})
		}
		return all
	}
	all := make([]*listenerv3.FilterChain, 0, len(p.Listeners)+len(p.Streams)+1)
	for _, l := range p.Listeners {
		all = append(all, c.tlsChain(l.Listener))
	}
	return append(append(all, c.streamChains(p)...), unencrypted())
}

func (c *Config) plainChains(p *order.Port) []*listenerv3.FilterChain {
	if len(p.Listeners) == 0 {
		return nil
	}
	return []*listenerv3.FilterChain{{
		Name: "http", Filters: c.requests(p.Listeners[0].Listener),
	}}
}

// tlsChain ends the TLS of one listener of HTTPS. One that is refused keeps its
// name and refuses handshakes: a wider listener would meet them otherwise.
func (c *Config) tlsChain(l *ir.Listener) *listenerv3.FilterChain {
	if c.closes(l) {
		return &listenerv3.FilterChain{
			Name: l.Hostname, FilterChainMatch: forServerName(l.Hostname),
			Filters: []*listenerv3.Filter{answering(unrecognizedName)},
		}
	}
	return c.entranceOf(entrance{key: l.Key}, l, func() *listenerv3.FilterChain {
		return &listenerv3.FilterChain{
			Name: l.Hostname, FilterChainMatch: forServerName(l.Hostname),
			Filters:                       c.requests(l),
			TransportSocket:               c.tlsSocket(l, c.unit.Proxy.Settings.TLS.ALPN),
			TransportSocketConnectTimeout: durationpb.New(handshakeTimeout),
		}
	})
}

// forServerName matches the handshakes of a hostname. Clients may write a
// trailing dot; Envoy compares without case, and takes the longest wildcard.
func forServerName(hostname string) *listenerv3.FilterChainMatch {
	m := &listenerv3.FilterChainMatch{TransportProtocol: "tls"}
	if hostname != order.AnyHost {
		m.ServerNames = []string{hostname, hostname + "."}
	}
	return m
}

// requests serves what is spoken on a connection.
func (c *Config) requests(l *ir.Listener) []*listenerv3.Filter {
	const name = "envoy.filters.network.http_connection_manager"
	m := c.manager(l)
	alpn := c.unit.Proxy.Settings.TLS.ALPN
	if l.Protocol != ir.HTTPS || len(alpn) == 0 {
		return []*listenerv3.Filter{networkFilter(name, m)}
	}
	m.HttpFilters = append([]*hcmv3.HttpFilter{announcing()}, m.HttpFilters...)
	m.CodecType = codec(alpn)
	return []*listenerv3.Filter{networkFilter(name, m)}
}

func networkFilter(name string, config proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: typed(config)}}
}

const (
	// unrecognizedName is the alert of that name, as a whole record of TLS
	// (RFC 8446, sections 5.1 and 6.2).
	unrecognizedName = "\x15\x03\x01\x00\x02\x02\x70"
	speaksHTTPS      = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
		"This port speaks HTTPS: use https:// instead of http://.\n"
)

// nobody meets the handshakes of names that no listener has. Where one passes TLS
// on, who would have ended it is not known, and nobody answers in TLS.
func nobody(p *order.Port) *listenerv3.FilterChain {
	passes := func(s *order.Stream) bool { return s.Listener.TLS != nil && s.Listener.TLS.Mode == ir.Passthrough }
	answer := unrecognizedName
	if slices.ContainsFunc(p.Streams, passes) {
		answer = ""
	}
	return &listenerv3.FilterChain{Name: "nobody", Filters: []*listenerv3.Filter{answering(answer)}}
}

// unencrypted tells clients that speak HTTP where TLS is spoken, as their users
// would else see an empty answer.
func unencrypted() *listenerv3.FilterChain {
	return &listenerv3.FilterChain{
		Name:             "unencrypted",
		FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "raw_buffer"},
		Filters:          []*listenerv3.Filter{answering(speaksHTTPS)},
	}
}

// answering writes some bytes and closes, before anything is read.
func answering(bytes string) *listenerv3.Filter {
	config := &directv3.Config{}
	if bytes != "" {
		config.Response = &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte(bytes)}}
	}
	return networkFilter("envoy.filters.network.direct_response", config)
}
