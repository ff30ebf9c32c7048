// Package record makes the access log and the metrics of what HAProxy says: of the
// line that it writes for each request and each stream, and of its own statistics.
//
// Lines are counted and logged by what they hold. Nothing of a client's becomes a
// label. It starts no process, and what HAProxy does not say is not made up.
package record
