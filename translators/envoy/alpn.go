package envoy

import (
	"slices"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// codec is what is spoken where a handshake has not said: without HTTP/2 among the
// protocols its clients are not served, whatever they begin with.
func codec(protocols []string) hcmv3.HttpConnectionManager_CodecType {
	if slices.Contains(protocols, "h2") {
		return hcmv3.HttpConnectionManager_AUTO
	}
	return hcmv3.HttpConnectionManager_HTTP1
}
