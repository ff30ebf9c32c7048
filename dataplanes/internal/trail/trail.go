package trail

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Trail is what a unit leaves on the requests that it sends, to know them again:
// a backend that leads back to its own Gateway would have a request go round
// until memory is out. It is a member of CDN-Loop (RFC 8586), which is made for
// this, and which, unlike Via, keeps no backend from compressing.
type Trail string

const field = "Cdn-Loop"

// New returns one that nobody else has.
func New() Trail {
	name := make([]byte, 8)
	_, _ = rand.Read(name) // It never fails (Go 1.24).
	return Trail("sluice-" + hex.EncodeToString(name))
}

// Crossed says whether a request has been here before.
func (t Trail) Crossed(h exchange.Header) bool {
	all, _ := h.Joined(field)
	return strings.Contains(all, string(t))
}

// Mark is called after all filters, which cannot take it off.
func (t Trail) Mark(h *exchange.Header) { h.Add(field, string(t)) }
