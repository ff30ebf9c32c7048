package envoy

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// largestPattern bounds the program that a regular expression becomes. Envoy's own
// bound of 100 refuses what people write; RE2's time is linear whatever the size.
const largestPattern = 100_000

// Runtime is what a bootstrap must set for the configurations of this package.
func Runtime() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "sluice",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level": structpb.NewNumberValue(largestPattern),
			"re2.max_program_size.warn_level":  structpb.NewNumberValue(largestPattern),
			// Dot segments with parameters are left for the script at the door to
			// refuse, and what follows a chunk must be its end.
			"envoy.reloadable_features.strip_dotdot_segments_with_parameters": structpb.NewBoolValue(false),
			"envoy.reloadable_features.strict_chunk_parsing":                  structpb.NewBoolValue(true),
		}}},
	}}}
}
