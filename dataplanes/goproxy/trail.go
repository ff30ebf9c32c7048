package goproxy

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// trail is what a unit leaves on the requests that it sends, to know them again:
// a backend that leads back to its own Gateway would have a request go round
// until memory is out. It is a member of CDN-Loop (RFC 8586), which is made for
// this, and which, unlike Via, keeps no backend from compressing.
type trail string

const trailField = "Cdn-Loop"

func newTrail() trail {
	name := make([]byte, 8)
	_, _ = rand.Read(name) // It never fails (Go 1.24).
	return trail("sluice-" + hex.EncodeToString(name))
}

// crossed says whether a request has been here before.
func (t trail) crossed(h exchange.Header) bool {
	all, _ := h.Joined(trailField)
	return strings.Contains(all, string(t))
}

// mark is called after all filters, which cannot take it off.
func (t trail) mark(h *exchange.Header) { h.Add(trailField, string(t)) }
