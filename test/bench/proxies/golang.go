package proxies

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
)

const sluiceObjects = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: bench}
spec: {controllerName: {{.Controller}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bench}
spec:
  gatewayClassName: bench
  listeners:
  - {name: plain, protocol: HTTP, port: {{.P.Plain}}}
  - {name: routes, protocol: HTTP, port: {{.P.Routes}}}
  - {name: grpc, protocol: HTTP, port: {{.P.GRPC}}}
  - {name: tls, protocol: HTTPS, port: {{.P.TLS}}, hostname: localhost, tls: {certificateRefs: [{name: bench-tls}]}}
  - {name: tcp, protocol: TCP, port: {{.P.TCP}}}
  - {name: pass, protocol: TLS, port: {{.P.Pass}}, hostname: localhost, tls: {mode: Passthrough}}
  - {name: udp, protocol: UDP, port: {{.P.UDP}}}
---
apiVersion: v1
kind: Secret
metadata: {name: bench-tls}
type: kubernetes.io/tls
data:
  tls.crt: {{.Cert}}
  tls.key: {{.Key}}
{{range .Services}}---
apiVersion: v1
kind: Service
metadata: {name: {{.Name}}}
spec:
  ports: [{name: main, port: 80, protocol: {{.Protocol}}{{with .App}}, appProtocol: {{.}}{{end}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: {{.Name}}, labels: {kubernetes.io/service-name: {{.Name}}}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{name: main, port: {{.Port}}, protocol: {{.Protocol}}}]
{{end}}{{range .Streams}}---
apiVersion: gateway.networking.k8s.io/{{.Version}}
kind: {{.Kind}}
metadata: {name: {{.Listener}}}
spec:
  parentRefs: [{name: bench, sectionName: {{.Listener}}}]
{{with .Hostname}}  hostnames: [{{.}}]
{{end}}  rules: [{backendRefs: [{name: {{.Service}}, port: 80}]}]
{{end}}{{range .Routes}}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: {{.}}}
spec:
  parentRefs: [{name: bench, sectionName: routes}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /{{.}}}}]
    backendRefs: [{name: app, port: 80}]
{{end}}`

// sluiceEdit is a route of its own, in a file of its own.
const sluiceEdit = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: edited}
spec:
  parentRefs: [{name: bench, sectionName: plain}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /edited/{{.N}}}}]
    backendRefs: [{name: app, port: 80}]
`

type service struct {
	Name, Protocol, App string
	Port                int
}

// stream is a route that takes everything on its listener.
type stream struct{ Version, Kind, Listener, Service, Hostname string }

// sluice is ours, on a directory, as a user would run it.
func sluice(s Setup) (Launch, error) { return s.sluice("sluice.dev/go") }

// sluiceEnvoy is ours in front of Envoy.
func sluiceEnvoy(s Setup) (Launch, error) {
	path, err := s.envoyProgram()
	if err != nil {
		return Launch{}, err
	}
	l, err := s.sluice("sluice.dev/envoy")
	l.Env = append(l.Env, "SLUICE_ENVOY="+path)
	return l, err
}

func (s Setup) sluice(controller string) (Launch, error) {
	cert, err := os.ReadFile(s.Cert)
	if err != nil {
		return Launch{}, err
	}
	key, err := os.ReadFile(s.Key)
	if err != nil {
		return Launch{}, err
	}
	if _, err := os.Stat(s.Sluice); err != nil {
		return Launch{}, errors.New("the program that -sluice names is not there: build it first")
	}
	b := s.Backend
	_, err = s.write("bench.yaml", sluiceObjects, map[string]any{
		"Controller": controller,
		"Cert":       base64.StdEncoding.EncodeToString(cert), "Key": base64.StdEncoding.EncodeToString(key),
		"Services": []service{
			{"app", "TCP", "", b.HTTP}, {"calls", "TCP", "kubernetes.io/h2c", b.GRPC},
			{"secure", "TCP", "", b.HTTPS}, {"datagrams", "UDP", "", b.UDP},
		},
		"Streams": []stream{
			{"v1", "HTTPRoute", "plain", "app", ""}, {"v1", "HTTPRoute", "tls", "app", ""},
			{"v1", "GRPCRoute", "grpc", "calls", ""}, {"v1", "TCPRoute", "tcp", "app", ""},
			{"v1", "TLSRoute", "pass", "secure", "localhost"}, {"v1", "UDPRoute", "udp", "datagrams", ""},
		},
	})
	admin := fmt.Sprintf("127.0.0.1:%d", s.Ports.Admin)
	return Launch{
		Args:    []string{s.Sluice, "run", s.Dir, "--admin", admin, "--access-log", "--no-color"},
		Env:     []string{fmt.Sprintf("GOMAXPROCS=%d", s.Procs)},
		Version: []string{s.Sluice, "version"},
		Edit: func(n int) error {
			_, err := s.write("edited.yaml", sluiceEdit, map[string]any{"N": n})
			return err
		},
	}, err
}

// reverseProxy is this program in another role.
func reverseProxy(s Setup) (Launch, error) {
	p := s.Ports
	return Launch{
		Args: []string{
			s.Self, "reverseproxy", fmt.Sprint(p.Plain, ",", p.TLS, ",", p.Routes, ",", p.GRPC, ",", p.Admin),
			fmt.Sprintf("127.0.0.1:%d", s.Backend.HTTP), fmt.Sprintf("127.0.0.1:%d", s.Backend.GRPC),
			fmt.Sprint(s.Count), s.Cert, s.Key,
		},
		Env: []string{fmt.Sprintf("GOMAXPROCS=%d", s.Procs)},
	}, nil
}
