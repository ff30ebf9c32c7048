package hash

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/canonical"
)

// Sum is the name of a part's content.
type Sum [sha256.Size]byte

// String is the sum in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Part is what may be hashed: the pieces in which a unit travels.
type Part interface {
	*ir.Proxy | *ir.Listener | *ir.Route | *ir.Backend | *ir.Certificate | *ir.Endpoints | ir.Settings
}

// Of returns the sum of a part: that of its canonical form.
func Of[T Part](part T) Sum {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	*buffer = canonical.Append((*buffer)[:0], part)
	return OfForm(*buffer)
}

// OfForm returns the sum of a part that is in canonical form.
func OfForm(form []byte) Sum { return sha256.Sum256(form) }

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}
