package envoy

import (
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
)

// The names of resources say what they are, never where they stand in a list.
// Kubernetes' names hold no slash, so that joining them by slashes is unique.

// listenerName is "tcp/443", or "udp/443".
func listenerName(udp bool, port uint16) string {
	if udp {
		return "udp/" + strconv.Itoa(int(port))
	}
	return "tcp/" + strconv.Itoa(int(port))
}

// clusterName is "shop/cart/8080/h2c".
func clusterName(key ir.BackendKey) string {
	return endpointsName(key.EndpointsKey) + "/" + string(key.Protocol)
}

// endpointsName is "shop/cart/8080".
func endpointsName(key ir.EndpointsKey) string {
	return fmt.Sprintf("%s/%s/%d", key.Namespace, key.Service, key.Port)
}

// certificateName is "certificate/shop/tls".
func certificateName(key ir.CertificateKey) string {
	return "certificate/" + key.Namespace + "/" + key.Name
}
