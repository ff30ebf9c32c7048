// Package feature says what an element of the ir asks of a proxy. A front end
// refuses what asks for more than its dataplane can do; a GatewayClass's
// supportedFeatures and the page of capabilities in the docs come from the same
// table.
package feature
