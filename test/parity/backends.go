package parity

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/test/parity/peer"
	"github.com/sluice-gateway/sluice/test/parity/pki"
)

// Backend is the annotation parity.sluice.dev/backend: the word for a kind of
// endpoint, or these fields.
type Backend struct {
	// Kind of the endpoints. Default: echo.
	Kind peer.Kind `json:"kind,omitempty"`
	// Endpoints is their number. Default: 1.
	Endpoints int `json:"endpoints,omitempty"`
	// Kinds are for endpoints of several kinds, in place of the two above.
	Kinds []peer.Kind `json:"kinds,omitempty"`
	// Draining are the numbers of endpoints that are about to end: no longer
	// ready, still serving.
	Draining []int `json:"draining,omitempty"`
	// Zones are those that the endpoints' hints name, one each; the proxy is in the
	// zone "here".
	Zones []string `json:"zones,omitempty"`
	// Certificate makes the endpoints speak TLS.
	Certificate *pki.Leaf `json:"certificate,omitempty"`
	// ClientCA is the authority that a client's certificate must come from.
	ClientCA string `json:"clientCA,omitempty"`
	// Script is what endpoints of the kind script answer.
	Script string `json:"script,omitempty"`
	// ProxyHeader makes endpoints of the kind stream read a PROXY header of
	// version 1 first; what it says is the header Proxy of what they saw.
	ProxyHeader bool `json:"proxyHeader,omitempty"`
}

type backendFields Backend

var _ json.Unmarshaler = (*Backend)(nil)

// UnmarshalJSON reads a kind or the fields.
func (b *Backend) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &b.Kind)
	}
	return strictJSON(data, (*backendFields)(b))
}

func (b *Backend) kinds() []peer.Kind {
	if len(b.Kinds) > 0 {
		return b.Kinds
	}
	kind, n := b.Kind, max(b.Endpoints, 1)
	if kind == "" {
		kind = peer.Echo
	}
	kinds := make([]peer.Kind, n)
	for i := range kinds {
		kinds[i] = kind
	}
	return kinds
}

// running are the endpoints behind one Service.
type running struct {
	spec      string
	endpoints []*peer.Endpoint
}

func (r *running) stop() {
	for _, e := range r.endpoints {
		e.Stop()
	}
}

// start starts the endpoints of a Service, unless the same ones run already.
func (w *world) start(service object, spec Backend) ([]object, error) {
	placed := spec
	placed.Draining, placed.Zones = nil, nil
	text := fmt.Sprintf("%+v", placed)
	run := w.peers[service.id()]
	if run == nil || run.spec != text {
		fresh, err := w.startAll(service, spec)
		if err != nil {
			return nil, err
		}
		fresh.spec = text
		w.peers[service.id()] = fresh
		if run != nil {
			w.retired = append(w.retired, run)
		}
		run = fresh
	}
	var made []object
	for i, e := range run.endpoints {
		slice := endpointSlice(service, i, e.Port)
		if slices.Contains(spec.Draining, i) {
			slice.drain()
		}
		if i < len(spec.Zones) {
			slice.hint(spec.Zones[i])
		}
		made = append(made, slice)
	}
	return made, nil
}

func (w *world) startAll(service object, spec Backend) (*running, error) {
	run := &running{}
	config, err := w.backendTLS(spec)
	if err != nil {
		return nil, err
	}
	for i, kind := range spec.kinds() {
		e, err := peer.Start(peer.Config{
			Kind:     kind,
			Backend:  service.namespace() + "/" + service.name(),
			Endpoint: fmt.Sprintf("%s-%d", service.name(), i),
			Address:  "127.0.0.1",
			TLS:      config,
			Script:   spec.Script, ProxyHeader: spec.ProxyHeader,
			Record: w.record,
		})
		if err != nil {
			run.stop()
			return nil, err
		}
		run.endpoints = append(run.endpoints, e)
	}
	return run, nil
}

func (w *world) backendTLS(spec Backend) (*tls.Config, error) {
	if spec.Certificate == nil {
		return nil, nil
	}
	certificate, err := w.book.Certificate(*spec.Certificate)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	if spec.ClientCA != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs, err = w.book.Pool(spec.ClientCA)
	}
	return config, err
}
