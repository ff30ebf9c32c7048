package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// manager is how the connections of a listener are served.
func (c *Config) manager(l *ir.Listener) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix: "http",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			RouteConfigName: routesName(l),
			ConfigSource:    fromAgent(),
		}},
		AccessLog:                     requestLog(routesName(l)),
		EarlyHeaderMutationExtensions: []*corev3.TypedExtensionConfig{beforeRouting()},
		HttpFilters:                   httpFilters(),
	}
}
