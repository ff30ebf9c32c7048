package envoy

import (
	_ "embed"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What Envoy has no words for is said by scripts of ours. They are constant:
// what an author wrote reaches them as values, never as text of theirs.
var (
	//go:embed lua/redirect.lua
	redirectScript string
	//go:embed lua/cors.lua
	corsScript string
	//go:embed lua/copied.lua
	copiedScript string
	//go:embed lua/door.lua
	doorScript string
	//go:embed lua/hop.lua
	hopScript string
	//go:embed lua/session.lua
	sessionScript string
)

// script runs one of our scripts with the values of one route. Scripts of one
// name share an interpreter, however many routes have them.
func script(name, source string, values map[string]*structpb.Value) *luav3.Lua {
	return &luav3.Lua{
		DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: source}},
		FilterContext:     &structpb.Struct{Fields: values},
		SharedVmId:        "sluice." + name,
		StatPrefix:        name,
		ClearRouteCache:   wrapperspb.Bool(false),
	}
}

// texts is a list of strings for a script.
func texts(list []string) *structpb.Value {
	values := &structpb.ListValue{}
	for _, text := range list {
		values.Values = append(values.Values, structpb.NewStringValue(text))
	}
	return structpb.NewListValue(values)
}
