package envoy

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Runtime is what a bootstrap must set for the configurations of this package.
// Envoy's own bound of an expression's size, 100 instructions, is met by a
// handful of characters in braces; what RE2 takes of memory is bounded by RE2,
// and the length of expressions by Gateway API.
func Runtime() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "sluice",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level": structpb.NewNumberValue(1e9),
		}}},
	}}}
}
