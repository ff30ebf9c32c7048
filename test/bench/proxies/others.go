package proxies

import (
	"fmt"
	"os"
)

const caddyConfig = `{
 admin 127.0.0.1:{{.P.Admin}}
 auto_https off
 storage file_system {{.S.Dir}}/storage
 servers {
  metrics
  protocols h1 h2 h2c
 }
}
(seen) {
 bind 127.0.0.1
 log {
  output file {{.S.Dir}}/access.log
 }
}
(app) {
 reverse_proxy 127.0.0.1:{{.B.HTTP}} {
  header_up X-Forwarded-Port {http.request.local.port}
  header_up X-Request-Id {http.request.uuid}
  transport http {
   keepalive 600s
   keepalive_idle_conns_per_host 1024
   compression off
  }
 }
}
http://:{{.P.Plain}} {
 import seen
 import app
}
https://:{{.P.TLS}} {
 import seen
 tls {{.S.Cert}} {{.S.Key}} {
  protocols tls1.3
 }
 import app
}
http://:{{.P.Routes}} {
 import seen
{{range .Routes}} handle /{{.}}/* {
  import app
 }
{{end}}}
http://:{{.P.GRPC}} {
 import seen
 reverse_proxy h2c://127.0.0.1:{{.B.GRPC}} {
  header_up X-Forwarded-Port {http.request.local.port}
  header_up X-Request-Id {http.request.uuid}
 }
}
`

func caddy(s Setup) (Launch, error) {
	conf, err := s.write("Caddyfile", caddyConfig, nil)
	if err != nil {
		return Launch{}, err
	}
	l, err := s.found("caddy", []string{"run", "--config", conf, "--adapter", "caddyfile"}, []string{"version"})
	l.Env = append(l.Env, "HOME="+s.Dir, "XDG_CONFIG_HOME="+s.Dir, "XDG_DATA_HOME="+s.Dir)
	return l, err
}

const envoyConfig = `admin: {address: {socket_address: {address: 127.0.0.1, port_value: {{.P.Admin}}}}}
static_resources:
  listeners:
{{$top := .}}{{range .HTTP}}  - name: {{.Name}}
    address: {socket_address: {address: 127.0.0.1, port_value: {{.Port}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
{{template "indented" $top}}          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              request_headers_to_add:
              - {header: {key: x-forwarded-host, value: "%REQ(:AUTHORITY)%"}}
              - {header: {key: x-forwarded-port, value: "%DOWNSTREAM_LOCAL_PORT%"}}
              request_headers_to_remove: [proxy, proxy-authenticate, proxy-authorization, http2-settings, trailer, forwarded, x-real-ip, true-client-ip,
                content_length, transfer_encoding, x_forwarded_for, x_forwarded_host, x_forwarded_proto]
              response_headers_to_remove: [proxy, proxy-authenticate, te, trailer]
              retry_policy:
                retry_on: connect-failure,refused-stream
                num_retries: 3
                retry_host_predicate:
                - name: envoy.retry_host_predicates.previous_hosts
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}
                host_selection_retry_max_attempts: 10
              routes:
{{$c := .Cluster}}{{range .Prefixes}}              - {match: {prefix: {{.}}}, route: {cluster: {{$c}}, timeout: 0s}}
{{end}}{{if .TLS}}      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_params: {tls_minimum_protocol_version: TLSv1_3}
            tls_certificates:
            - certificate_chain: {filename: {{$top.S.Cert}}}
              private_key: {filename: {{$top.S.Key}}}
{{end}}{{end}}{{range .Raw}}  - name: {{.Name}}
    address: {socket_address: {address: 127.0.0.1, port_value: {{.Port}}}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: {{.Name}}, cluster: {{.Cluster}}}
{{end}}  clusters:
{{range .Clusters}}  - name: {{.Name}}
    connect_timeout: 5s
    type: STATIC
    outlier_detection: {interval: 1s, base_ejection_time: 10s, enforcing_consecutive_5xx: 0, enforcing_success_rate: 0,
      consecutive_gateway_failure: 0, split_external_local_origin_errors: true, consecutive_local_origin_failure: 3}
    load_assignment:
      cluster_name: {{.Name}}
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {{.Port}}}}}}]}]
{{if .H2}}    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
{{end}}{{end}}{{define "indented"}}          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          use_remote_address: true
          normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: REJECT_REQUEST
          stream_idle_timeout: 60s
          request_headers_timeout: 10s
          common_http_protocol_options: {idle_timeout: 60s, max_headers_count: 100}
          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/stdout
              log_format:
                json_format: {time: "%START_TIME%", client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", method: "%REQ(:METHOD)%",
                  host: "%REQ(:AUTHORITY)%", path: "%PATH(NQ)%", protocol: "%PROTOCOL%", status: "%RESPONSE_CODE%",
                  bytes: "%BYTES_SENT%", duration_ms: "%DURATION%", listener: bench, route: "%ROUTE_NAME%",
                  backend: "%UPSTREAM_CLUSTER%", endpoint: "%UPSTREAM_HOST%", tries: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
                  request_id: "%REQ(X-REQUEST-ID)%", user_agent: "%REQ(USER-AGENT)%", flags: "%RESPONSE_FLAGS%"}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
{{end}}`

// envoyPart is a listener or a cluster.
type envoyPart struct {
	Name     string
	Port     int
	Cluster  string
	Prefixes []string
	TLS, H2  bool
}

// envoy is written by hand, and does by itself what Sluice has Envoy do: it tries
// failed connections elsewhere, leaves endpoints out, reads paths in one way, keeps
// hop-by-hop and forged fields off, and logs the same fields.
//
// It has no SNI on the port Pass: one backend is all that is behind it.
func envoy(s Setup) (Launch, error) {
	p, b, all := s.Ports, s.Backend, []string{"/"}
	routes := make([]string, s.Count)
	for i := range routes {
		routes[i] = fmt.Sprintf("/r%04d/", i)
	}
	conf, err := s.write("envoy.yaml", envoyConfig, map[string]any{
		"HTTP": []envoyPart{
			{Name: "plain", Port: p.Plain, Cluster: "app", Prefixes: all}, {Name: "tls", Port: p.TLS, Cluster: "app", Prefixes: all, TLS: true},
			{Name: "routes", Port: p.Routes, Cluster: "app", Prefixes: routes}, {Name: "grpc", Port: p.GRPC, Cluster: "calls", Prefixes: all},
		},
		"Raw":      []envoyPart{{Name: "tcp", Port: p.TCP, Cluster: "app"}, {Name: "pass", Port: p.Pass, Cluster: "secure"}},
		"Clusters": []envoyPart{{Name: "app", Port: b.HTTP}, {Name: "calls", Port: b.GRPC, H2: true}, {Name: "secure", Port: b.HTTPS}},
	})
	if err != nil {
		return Launch{}, err
	}
	path, err := s.envoyProgram()
	if err != nil {
		return Launch{}, err
	}
	return Launch{
		Args:    []string{path, "-c", conf, "--disable-hot-restart", "--concurrency", fmt.Sprint(s.Procs), "-l", "error"},
		Version: []string{path, "--version"},
	}, nil
}

// envoyProgram is what SLUICE_ENVOY names, or one that is searched for.
func (s Setup) envoyProgram() (string, error) {
	if path := os.Getenv("SLUICE_ENVOY"); path != "" {
		return path, nil
	}
	return Find(s.Packages, "envoy")
}
