package proxies

import (
	"fmt"
	"os"
	"path/filepath"
)

const nginxConfig = `worker_processes {{.S.Procs}};
worker_rlimit_nofile {{.Files}};
daemon off;
pid {{.S.Dir}}/nginx.pid;
error_log {{.S.Dir}}/error.log;
{{with .Stream}}load_module {{.}};
{{end}}events { worker_connections 16384; }
http {
 log_format line '$time_iso8601 $remote_addr "$request" $status $body_bytes_sent $request_time $upstream_addr $upstream_response_time $request_id "$http_user_agent"';
 access_log {{.S.Dir}}/access.log line buffer=64k flush=1s;
 keepalive_requests 1000000000; keepalive_timeout 600s; server_tokens off; client_max_body_size 0;
 client_body_temp_path {{.S.Dir}}/body; proxy_temp_path {{.S.Dir}}/proxy; fastcgi_temp_path {{.S.Dir}}/fastcgi;
 uwsgi_temp_path {{.S.Dir}}/uwsgi; scgi_temp_path {{.S.Dir}}/scgi;
 upstream app { server 127.0.0.1:{{.B.HTTP}}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }
 upstream calls { server 127.0.0.1:{{.B.GRPC}}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }
 proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
 proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
 proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-Id $request_id;
 proxy_set_header Connection ""; proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;
 grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for; grpc_set_header X-Forwarded-Proto $scheme;
 grpc_set_header X-Forwarded-Host $http_host; grpc_set_header X-Forwarded-Port $server_port;
 grpc_set_header X-Request-Id $request_id;
 ssl_certificate {{.S.Cert}}; ssl_certificate_key {{.S.Key}}; ssl_protocols TLSv1.3;
 ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
 server {
  listen 127.0.0.1:{{.P.Plain}} backlog=1024;
  listen 127.0.0.1:{{.P.TLS}} ssl http2 backlog=1024;
  location / { proxy_pass http://app; }
 }
 server {
  listen 127.0.0.1:{{.P.Routes}} backlog=1024;
{{range .Routes}}  location /{{.}}/ { proxy_pass http://app; }
{{end}} }
 server {
  listen 127.0.0.1:{{.P.GRPC}} http2 backlog=1024;
  location / { grpc_pass grpc://calls; }
 }
 server {
  listen 127.0.0.1:{{.P.Admin}};
  location /metrics { stub_status; }
 }
}
{{if .Stream}}stream {
 log_format line '$time_iso8601 $remote_addr $protocol $status $bytes_sent $bytes_received $session_time';
 access_log {{.S.Dir}}/stream.log line buffer=64k flush=1s;
 proxy_timeout 600s; proxy_buffer_size 64k;
 map $ssl_preread_server_name $secure { localhost 127.0.0.1:{{.B.HTTPS}}; }
 server { listen 127.0.0.1:{{.P.TCP}} backlog=1024; proxy_pass 127.0.0.1:{{.B.HTTP}}; }
 server { listen 127.0.0.1:{{.P.Pass}} backlog=1024; ssl_preread on; proxy_pass $secure; }
 server { listen 127.0.0.1:{{.P.UDP}} udp; proxy_pass 127.0.0.1:{{.B.UDP}}; }
}
{{end}}`

// nginx has TCP and UDP where its stream module is; Debian packs it apart.
func nginx(s Setup) (Launch, error) {
	stream := ""
	for _, root := range []string{s.Packages, "/"} {
		path := filepath.Join(root, "usr/lib/nginx/modules/ngx_stream_module.so")
		if _, err := os.Stat(path); err == nil {
			stream = path
			break
		}
	}
	conf, err := s.write("nginx.conf", nginxConfig, map[string]any{"Stream": stream, "Files": openFiles()})
	if err != nil {
		return Launch{}, err
	}
	errorLog := fmt.Sprintf("%s/error.log", s.Dir)
	return s.found("nginx", []string{"-e", errorLog, "-c", conf}, []string{"-v"})
}
