package proxies

import "os"

const haproxyConfig = `global
  nbthread {{.S.Procs}}
  maxconn 12000
  no strict-limits
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  tune.ssl.default-dh-param 2048
  log stdout format raw local0
{{- if .Alike}}
  expose-experimental-directives
  tune.bufsize 92160
  tune.maxrewrite 24576
{{- end}}
defaults
  mode http
  log global
{{- if .Alike}}
  log-format "%{+json}o %(time)[request_date(us)] %(client)[src] %(method)[method] %(host)[var(txn.host)] %(path)[var(txn.path)] %(protocol)HV %(status)ST %(bytes)B %(duration_ms)Ta %(listener)f %(backend)b %(endpoint)s %(tries)rc %(request_id)[var(txn.id)] %(user_agent)[var(txn.agent)] %(flags)ts"
  option redispatch 1
  retry-on conn-failure empty-response
  default-server check inter 1h fastinter 10s downinter 10s observe layer4 error-limit 3 on-error mark-down
{{- else}}
  option httplog
{{- end}}
  option http-keep-alive
  http-reuse always
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  timeout http-request 10s
  timeout http-keep-alive 600s
{{define "headers"}}
{{- if .Alike}}  http-request return status 414 if { pathq,length gt 8192 }
  http-request return status 431 if { req.hdrs,length gt 65536 } || { req.fhdr_cnt gt 100 }
  http-request normalize-uri percent-to-uppercase
  http-request normalize-uri path-strip-dot
  http-request normalize-uri path-strip-dotdot
  http-request normalize-uri path-merge-slashes
  http-request set-var(txn.host) req.hdr(host),host_only
  http-request set-var(txn.path) path
  http-request set-var(txn.agent) req.fhdr(user-agent)
  http-request set-var(txn.id) uuid()
{{end}}  option forwardfor
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Request-Id %[{{if .Alike}}var(txn.id){{else}}uuid(){{end}}]
{{end}}
{{define "way"}}  use_backend %[{{if .Alike}}var(txn.host),concat(,txn.path){{else}}path{{end}},map_beg({{.Map}})]
{{end}}
frontend plain
  bind 127.0.0.1:{{.P.Plain}}
  bind 127.0.0.1:{{.P.TLS}} ssl crt {{.S.Both}} alpn h2,http/1.1 ssl-min-ver TLSv1.3
{{template "headers" .}}{{if .Alike}}{{template "way" .}}{{end}}  default_backend app
frontend routes
  bind 127.0.0.1:{{.P.Routes}}
{{template "headers" .}}{{template "way" .}}
frontend grpc
  bind 127.0.0.1:{{.P.GRPC}} proto h2
{{template "headers" .}}  default_backend calls
frontend tcp
  mode tcp
  option tcplog
  option splice-auto
  bind 127.0.0.1:{{.P.TCP}}
  default_backend raw
frontend pass
  mode tcp
  option tcplog
  option splice-auto
  bind 127.0.0.1:{{.P.Pass}}
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend secure if { req.ssl_sni localhost }
frontend metrics
  bind 127.0.0.1:{{.P.Admin}}
  http-request use-service prometheus-exporter if { path /metrics }
{{define "again"}}
{{- if .Alike}}  http-request disable-l7-retry if !METH_GET || { be_sess_rate gt 1000 } !{ http_first_req }
{{end}}{{end}}
backend app
{{template "again" .}}  server s 127.0.0.1:{{.B.HTTP}}
backend calls
{{template "again" .}}  server s 127.0.0.1:{{.B.GRPC}} proto h2
backend raw
  mode tcp
  option splice-auto
  server s 127.0.0.1:{{.B.HTTP}}
backend secure
  mode tcp
  option splice-auto
  server s 127.0.0.1:{{.B.HTTPS}}
`

// haproxy has its routes in a map, which it looks up as a tree.
func haproxy(s Setup) (Launch, error) { return s.haproxyByHand(false) }

// haproxyAlike does by hand what Sluice has HAProxy do beside that: it takes heads of 64
// KiB, turns odd ones away, normalises paths, finds routes by host and path, tries
// again, leaves out endpoints that fail, and logs the same fields as JSON.
func haproxyAlike(s Setup) (Launch, error) { return s.haproxyByHand(true) }

func (s Setup) haproxyByHand(alike bool) (Launch, error) {
	routes, err := s.write("routes.map", "localhost/ app\n{{range .Routes}}localhost/{{.}}/ app\n/{{.}}/ app\n{{end}}", nil)
	if err != nil {
		return Launch{}, err
	}
	conf, err := s.write("haproxy.cfg", haproxyConfig, map[string]any{"Map": routes, "Alike": alike})
	if err != nil {
		return Launch{}, err
	}
	args, version := []string{"-db", "-f", conf}, []string{"-v"}
	// One that is named is the one that tests run, with its own libraries.
	if path := os.Getenv(haproxyVariable); path != "" {
		return Launch{Args: append([]string{path}, args...), Version: append([]string{path}, version...)}, nil
	}
	return s.found("haproxy", args, version)
}

// haproxyVariable names the program, for this one and for Sluice.
const haproxyVariable = "SLUICE_HAPROXY"

// sluiceHAProxy is ours in front of HAProxy.
func sluiceHAProxy(s Setup) (Launch, error) {
	path, err := s.haproxyProgram()
	if err != nil {
		return Launch{}, err
	}
	l, err := s.sluice("sluice.dev/haproxy")
	l.Env = append(l.Env, haproxyVariable+"="+path)
	return l, err
}

// haproxyProgram is what SLUICE_HAPROXY names, or one that is searched for.
func (s Setup) haproxyProgram() (string, error) {
	if path := os.Getenv(haproxyVariable); path != "" {
		return path, nil
	}
	return Find(s.Packages, "haproxy")
}
