package peer

import (
	"context"
	"net"
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// authGRPC is an authorization server of Envoy's ext_authz protocol. It decides
// as auth does.
type authGRPC struct {
	authv3.UnimplementedAuthorizationServer
	c Config
}

var _ authv3.AuthorizationServer = authGRPC{}

func serveAuthGRPC(c Config, listener net.Listener) func() {
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, authGRPC{c: c})
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	return func() {
		server.Stop()
		<-done
	}
}

// Check implements authv3.AuthorizationServer.
func (a authGRPC) Check(_ context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	request := in.GetAttributes().GetRequest().GetHttp()
	seen := a.see(request)
	a.c.Record.Add(seen)
	status := verdict(request.GetHeaders()["authorization"])
	report := auth{a.c}.report(seen)
	if status != http.StatusOK {
		delete(report, "X-Auth-User")
		return denied(status, report), nil
	}
	delete(report, "Location")
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers:              options(report),
			HeadersToRemove:      []string{"x-remove-me"},
			ResponseHeadersToAdd: options(map[string]string{"X-Auth-Note": "checked"}),
		}},
	}, nil
}

func denied(status int, report map[string]string) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(status)},
			Headers: options(report),
			Body:    "denied by auth",
		}},
	}
}

func (a authGRPC) see(request *authv3.AttributeContext_HttpRequest) *Seen {
	header := http.Header{}
	for name, value := range request.GetHeaders() {
		header.Set(name, value)
	}
	body := request.GetBody()
	if body == "" {
		body = string(request.GetRawBody())
	}
	return &Seen{
		Backend: a.c.Backend, Endpoint: a.c.Endpoint, Method: request.GetMethod(),
		Path: request.GetPath(), Host: request.GetHost(), Headers: header,
		Body: body, Length: int64(len(body)),
	}
}

func options(fields map[string]string) []*corev3.HeaderValueOption {
	var list []*corev3.HeaderValueOption
	for name, value := range fields {
		list = append(list, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: name, Value: value},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return list
}
