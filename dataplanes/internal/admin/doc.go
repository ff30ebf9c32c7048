// Package admin is the side of the proxy that its operators see: metrics,
// health and readiness. No label of a metric holds anything that a client can
// choose. It must not serve anything that changes the proxy.
package admin
