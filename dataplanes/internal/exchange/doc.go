// Package exchange is a request and its response as the parts of a proxy
// of ours hand them on: wire reads and writes them, the Go proxy's table looks
// them up, filter edits them and upstream carries them to a backend. It knows no codec, so each protocol
// of wire meets the same filters.
package exchange
