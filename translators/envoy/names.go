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

// routesName names what is served at a port: "80" for plain HTTP, whose listeners
// share connections, and "443/*.example" for a listener of HTTPS. One that demands
// client certificates has another name with each set of trust anchors, so that
// connections that were let in under other rules meet nothing of it (shut).
func routesName(l *ir.Listener) string {
	port := strconv.Itoa(int(l.Port))
	switch {
	case l.Protocol == ir.HTTP:
		return port
	case l.TLS != nil && l.TLS.ClientValidation != nil && l.TLS.ClientValidation.Required:
		return port + "/" + l.Hostname + "/" + anchorsName(l.TLS.ClientValidation.CAs)
	default:
		return port + "/" + l.Hostname
	}
}

// proxiedName names the listener inside of the process that takes the PROXY headers
// of a port: "proxied/443".
func proxiedName(port uint16) string { return "proxied/" + strconv.Itoa(int(port)) }

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

// anchorsName is "anchors/" and a digest of the trust anchors.
func anchorsName(cas string) string { return "anchors/" + digest(cas) }
