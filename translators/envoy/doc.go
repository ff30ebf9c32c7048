// Package envoy writes a unit as the resources that Envoy reads over xDS:
// listeners, route configurations, clusters, endpoints and secrets.
//
// It is pure and deterministic, and every resource is named by what it is
// (names.go), so that an edit changes the resources that it is about and no
// others. What a route says never stands in a listener: a change of routes
// drains no connection.
//
// A text that an author wrote reaches Envoy as a literal, a pattern of RE2 or,
// where Envoy has formats alone, through literal (escape.go), which is the only
// way into one.
//
// It decides nothing: precedence is package order's. Which of the resources is
// sent when, and what becomes of those that Envoy refuses, is not its business.
package envoy
