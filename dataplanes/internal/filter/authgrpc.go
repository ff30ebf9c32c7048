package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir/editing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// grpcAuth speaks envoy.service.auth.v3.Authorization, one unary call a
// request.
type grpcAuth struct {
	// send are lower case names; empty sends all.
	send []string
}

var _ authProtocol = (*grpcAuth)(nil)

const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

func (g *grpcAuth) question(x *Exchange, body []byte) (*exchange.Request, error) {
	message, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:  peer(x.Request),
		Request: &authv3.AttributeContext_Request{Http: g.httpRequest(x, body)},
	}})
	if err != nil {
		return nil, err
	}
	framed := frame(message)
	return &exchange.Request{
		Method: "POST", Scheme: "http", Authority: "authorization", Host: "authorization", Path: checkMethod,
		Header: exchange.Header{
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
		},
		Body: io.NopCloser(bytes.NewReader(framed)), Length: int64(len(framed)),
		Proto: 2, GRPC: true, Client: x.Request.Client, Peer: x.Request.Peer,
	}, nil
}

func peer(r *exchange.Request) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{
			Address:       r.Peer.String(),
			PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(r.Client.Port())},
		},
	}}}
}

func (g *grpcAuth) httpRequest(x *Exchange, body []byte) *authv3.AttributeContext_HttpRequest {
	r := x.Request
	path := x.path
	if r.HasQuery {
		path += "?" + r.Query
	}
	id, _ := r.Header.Get("x-request-id")
	return &authv3.AttributeContext_HttpRequest{
		Id: valid(id), Method: valid(r.Method), Headers: g.headers(r), Path: valid(path), Host: valid(r.Authority),
		Scheme: r.Scheme, Size: r.Length, Protocol: protocol(r.Proto), RawBody: body,
	}
}

func protocol(major int) string {
	if major == 1 {
		return "HTTP/1.1"
	}
	return "HTTP/2"
}

// headers writes fields as Envoy does: lower case names, several values joined
// by commas.
func (g *grpcAuth) headers(r *exchange.Request) map[string]string {
	all := make(map[string]string, len(r.Header))
	for _, f := range r.Header {
		name := valid(strings.ToLower(f.Name))
		if len(g.send) > 0 && !slices.Contains(g.send, name) {
			continue
		}
		if former, found := all[name]; found {
			all[name] = former + "," + valid(f.Value)
			continue
		}
		all[name] = valid(f.Value)
	}
	return all
}

// valid makes text fit for protobuf, which refuses all but UTF-8.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// frame puts the prefix of a gRPC message before it: not compressed, length.
func frame(message []byte) []byte {
	framed := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message)))
	return append(framed, message...)
}

func (g *grpcAuth) verdict(x *Exchange, answer *exchange.Response) *exchange.Response {
	check, err := readCheck(answer)
	if err != nil {
		return refusal(x)
	}
	// An answer without a status is no yes, though protobuf reads it as code 0.
	if check.GetStatus() == nil || check.GetStatus().GetCode() != 0 || check.GetDeniedResponse() != nil {
		return deniedCheck(x, check.GetDeniedResponse())
	}
	ok := check.GetOkResponse()
	if len(ok.GetQueryParametersToSet())+len(ok.GetQueryParametersToRemove()) > 0 {
		// The request would pass with a query that the server did not mean.
		return refusal(x)
	}
	for _, name := range ok.GetHeadersToRemove() {
		if !describesBody(strings.ToLower(name)) {
			x.Request.Vouch(name)
			x.Request.Header.Del(name)
		}
	}
	for _, option := range ok.GetHeaders() {
		if name := option.GetHeader().GetKey(); !appends(option) && !describesBody(strings.ToLower(name)) {
			x.Request.Vouch(name)
		}
	}
	applyOptions(&x.Request.Header, ok.GetHeaders())
	applyOptions(&x.granted, ok.GetResponseHeadersToAdd())
	return nil
}

var errNoAnswer = errors.New("not a successful gRPC answer")

// readCheck reads the only message of a successful call.
func readCheck(answer *exchange.Response) (*authv3.CheckResponse, error) {
	if answer.Status != 200 || answer.Body == nil {
		return nil, errNoAnswer
	}
	raw, err := readAtMost(answer.Body, maxAuthAnswer)
	if err != nil {
		return nil, err
	}
	if status := grpcStatus(answer); status != "0" {
		return nil, errNoAnswer
	}
	if len(raw) < 5 || raw[0] != 0 || int(binary.BigEndian.Uint32(raw[1:])) != len(raw)-5 {
		return nil, errNoAnswer
	}
	check := &authv3.CheckResponse{}
	return check, proto.Unmarshal(raw[5:], check)
}

// grpcStatus returns the call's status from its trailer, once the body has been
// read.
func grpcStatus(answer *exchange.Response) string {
	if answer.Trailer != nil {
		if status, found := answer.Trailer.Get("grpc-status"); found {
			return status
		}
	}
	status, _ := answer.Header.Get("grpc-status")
	return status
}

// applyOptions writes what a server asked for; fields that belong to framing,
// and text that would break it, are left out.
func applyOptions(h *exchange.Header, options []*corev3.HeaderValueOption) {
	for _, option := range options {
		name, value := option.GetHeader().GetKey(), option.GetHeader().GetValue()
		if raw := option.GetHeader().GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		if !editing.ValidName(name) || describesBody(strings.ToLower(name)) || !editing.ValidValue(value) {
			continue
		}
		_, found := h.Get(name)
		switch {
		case appends(option):
			h.Add(name, value)
		case option.GetAppendAction() == corev3.HeaderValueOption_ADD_IF_ABSENT && found:
		case option.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS && !found:
		default:
			h.Set(name, value)
		}
	}
}

// appends reads the field that append_action replaces, and that servers send
// still.
func appends(option *corev3.HeaderValueOption) bool {
	return option.GetAppend().GetValue() //nolint:staticcheck // It is deprecated, and in use.
}

// deniedCheck is the server's own answer, or a plain refusal.
func deniedCheck(x *Exchange, denial *authv3.DeniedHttpResponse) *exchange.Response {
	status := int(denial.GetStatus().GetCode())
	if status < 300 || status > 599 {
		status = 403
	}
	if x.GRPC || denial == nil {
		return Answer(status, "Access denied.", x.GRPC)
	}
	made := &exchange.Response{Status: status}
	applyOptions(&made.Header, denial.GetHeaders())
	if body := denial.GetBody(); body != "" {
		made.Body, made.Length = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return made
}
