// Package record makes the access log and the metrics of what Envoy says: of the
// line that it writes for each request and each stream, and of its own numbers,
// which its admin interface has.
//
// Lines are counted and logged by what they hold. Nothing of a client's becomes a
// label. It starts no process, and what Envoy does not say is not made up.
package record
