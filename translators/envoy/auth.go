package envoy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir/editing"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	stringv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/string_matcher/lua/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/ir"
)

const (
	// authPatience bounds how long an authorization server may take: one that
	// hangs refuses its requests and does not collect them.
	authPatience = 10 * time.Second
	// maxAuthAnswer bounds what a client is handed of a refusal, in bytes.
	maxAuthAnswer = 64 << 10
)

// addAuth asks an authorization server (HTTPExternalAuthFilter; GEP-1494).
// Whatever is not a clear yes refuses the request.
func (w *walk) addAuth(spec *ir.ExternalAuth) error {
	for _, name := range slices.Concat(spec.RequestHeaders, spec.ResponseHeaders) {
		if !editing.ValidName(name) {
			return fmt.Errorf("externalAuth: %q is not a header name", name)
		}
	}
	filter := &authv3.ExtAuthz{
		TransportApiVersion:        corev3.ApiVersion_V3,
		StatPrefix:                 "rule",
		AllowedHeaders:             exactly(lower(spec.RequestHeaders)),
		DisallowedHeaders:          &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{prefixed(ownHeaders)}},
		MaxDeniedResponseBodyBytes: maxAuthAnswer,
	}
	if spec.MaxBodyBytes > 0 {
		filter.WithRequestBody = &authv3.BufferSettings{
			MaxRequestBytes: uint32(spec.MaxBodyBytes), PackAsBytes: true, //nolint:gosec // The CRD bounds it to 16 bits.
		}
	}
	if spec.GRPC {
		filter.Services = w.authOverGRPC(spec)
		w.then("auth", filter)
		return nil
	}
	service, err := w.authOverHTTP(spec)
	if err != nil {
		return err
	}
	filter.AllowedHeaders = exactly(append(lower(spec.RequestHeaders), trailHeader))
	filter.Services = &authv3.ExtAuthz_HttpService{HttpService: service}
	before, after := vouched(spec)
	if len(before.GetMutations().GetRequestMutations()) > 0 {
		w.then("unvouched", before)
	}
	w.then("auth", filter)
	if len(after.GetMutations().GetRequestMutations()) > 0 {
		w.then("vouched", after)
	}
	return nil
}

func (w *walk) authOverGRPC(spec *ir.ExternalAuth) *authv3.ExtAuthz_GrpcService {
	return &authv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
		Timeout: durationpb.New(authPatience),
		TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
			ClusterName: clusterName(spec.Backend), Authority: "authorization",
		}},
		InitialMetadata: w.asker(),
	}}
}

func (w *walk) authOverHTTP(spec *ir.ExternalAuth) (*authv3.HttpService, error) {
	prefix := ""
	if spec.PathPrefix != "" {
		normal, err := editing.Rooted(spec.PathPrefix)
		if err != nil {
			return nil, fmt.Errorf("externalAuth.pathPrefix: %q: %w", spec.PathPrefix, err)
		}
		prefix = strings.TrimSuffix(normal, "/")
	}
	return &authv3.HttpService{
		ServerUri: &corev3.HttpUri{
			Uri:              "http://authorization",
			HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: clusterName(spec.Backend)},
			Timeout:          durationpb.New(authPatience),
		},
		PathPrefix:           prefix,
		AuthorizationRequest: &authv3.AuthorizationRequest{HeadersToAdd: w.asker()},
		AuthorizationResponse: &authv3.AuthorizationResponse{
			AllowedUpstreamHeaders:     acceptable(lower(spec.ResponseHeaders)),
			DynamicMetadataFromHeaders: exactly(both(spec)),
		},
	}, nil
}

// authMetadata is where what an authorization server has said is found.
const authMetadata = "envoy.filters.http.ext_authz"

// vouched has what a server vouches for come from nobody else. What it must see
// of the client's all the same is taken away after it was asked, and what it has
// said is put in its place.
func vouched(spec *ir.ExternalAuth) (before, after *headerv3.HeaderMutation) {
	first, second := &edits{}, &edits{}
	seen := both(spec)
	for _, name := range lower(spec.ResponseHeaders) {
		if describesBody(name) {
			continue
		}
		if !slices.Contains(seen, name) {
			first.vouch(name)
			continue
		}
		second.vouch(name)
		second.request = append(second.request, fromAuth(name))
	}
	return first.filter(), second.filter()
}

func fromAuth(name string) *mutationv3.HeaderMutation {
	m := format(name, "%DYNAMIC_METADATA("+authMetadata+":"+literal(name)+")%", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	m.GetAppend().KeepEmptyValue = false
	return m
}

// both are the names that are sent and that are accepted.
func both(spec *ir.ExternalAuth) []string {
	sent := append(lower(spec.RequestHeaders), "authorization")
	return slices.DeleteFunc(lower(spec.ResponseHeaders), func(name string) bool {
		return describesBody(name) || !slices.Contains(sent, name)
	})
}

// acceptable are the fields of an answer that are copied: those of a list, or
// all, but for those that tell about the message that they came with.
func acceptable(names []string) *matcherv3.ListStringMatcher {
	if len(names) == 0 {
		return &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{{
			MatchPattern: &matcherv3.StringMatcher_Custom{Custom: &xdscorev3.TypedExtensionConfig{
				Name: "envoy.string_matcher.lua",
				TypedConfig: typed(&stringv3.Lua{SourceCode: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{InlineString: copiedScript},
				}}),
			}},
		}}}
	}
	return exactly(slices.DeleteFunc(names, describesBody))
}

// describesBody reports whether a lower case name tells about the message
// that it came with, and would be wrong in any other.
func describesBody(name string) bool {
	return editing.Framing(name) || strings.HasPrefix(name, "content-") || strings.HasPrefix(name, ":")
}

func lower(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strings.ToLower(name)
	}
	return all
}

// exactly matches names; nil where there is none.
func exactly(names []string) *matcherv3.ListStringMatcher {
	if len(names) == 0 {
		return nil
	}
	list := &matcherv3.ListStringMatcher{}
	for _, name := range names {
		list.Patterns = append(list.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}})
	}
	return list
}
