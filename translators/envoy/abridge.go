package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// abridge leaves out of what people read that which is the same everywhere and
// long: Envoy's own answers (localReplies), and the text of our scripts, which
// are files.
func abridge(m protoreflect.Message) {
	switch m := m.Interface().(type) {
	case *hcmv3.HttpConnectionManager:
		m.LocalReplyConfig = nil
	case *luav3.Lua:
		if file := scripts[m.GetDefaultSourceCode().GetInlineString()]; file != "" {
			m.DefaultSourceCode = &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: file}}
		}
	}
}

// scripts are the files of our scripts.
var scripts = map[string]string{
	redirectScript: "lua/redirect.lua", corsScript: "lua/cors.lua", sessionScript: "lua/session.lua",
	doorScript: "lua/door.lua", hopScript: "lua/hop.lua",
}
