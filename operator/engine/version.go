package engine

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// version names the content of one unit. It keeps the sums of its parts, so that
// an edit costs what it changes.
type version struct {
	listeners    hash.Memo[ir.Listener]
	routes       hash.Memo[ir.Route]
	backends     hash.Memo[ir.Backend]
	certificates hash.Memo[ir.Certificate]
}

// of returns the name of a unit's content. Equal contents have equal names,
// whatever was asked before.
func (v *version) of(proxy *ir.Proxy) string {
	h := sha256.New()
	write := func(s hash.Sum) { h.Write(s[:]) }
	// What is no part of its own is a unit without parts.
	rest := *proxy
	rest.Listeners, rest.Routes, rest.Backends, rest.Certificates = nil, nil, nil, nil
	write(hash.Of(&rest))
	// The sum over a list ends it, so that no part can pass for one of the next.
	write(hash.OfList(v.listeners.Sums(proxy.Listeners, hash.Of)))
	write(hash.OfList(v.routes.Sums(proxy.Routes, hash.Of)))
	write(hash.OfList(v.backends.Sums(proxy.Backends, hash.Of)))
	write(hash.OfList(v.certificates.Sums(proxy.Certificates, hash.Of)))
	return hex.EncodeToString(h.Sum(nil))
}
