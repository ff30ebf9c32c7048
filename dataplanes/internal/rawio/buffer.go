package rawio

import "sync"

// Small is the size of a buffer: a record of TLS, and more than most requests
// have.
const Small = 16 << 10

// Datagram is the size of a buffer for datagrams, of which none is longer.
const Datagram = 64 << 10

var (
	smalls    = sync.Pool{New: func() any { b := make([]byte, Small); return &b }}
	datagrams = sync.Pool{New: func() any { b := make([]byte, Datagram); return &b }}
)

// Take returns a buffer; Give takes it back.
func Take(datagram bool) *[]byte {
	if datagram {
		return datagrams.Get().(*[]byte)
	}
	return smalls.Get().(*[]byte)
}

// Give takes a buffer back that nobody holds any more.
func Give(b *[]byte) {
	if len(*b) == Datagram {
		datagrams.Put(b)
		return
	}
	smalls.Put(b)
}
