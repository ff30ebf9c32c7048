// Package exchange is a request and its response as the Go proxy's parts hand
// them on: wire reads and writes them, table looks them up, filter edits them
// and upstream carries them to a backend. It knows no codec, so each protocol
// of wire meets the same filters.
package exchange
