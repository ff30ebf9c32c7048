package haproxy

import (
	"github.com/sluice-gateway/sluice/ir"
)

// ringWeight is what each endpoint weighs in a consistent hash: HAProxy gives it 16
// places on the ring for each. With so many the shares of endpoints differ by some
// percent.
const ringWeight = 16

// balance says which endpoint serves a request.
func (u *upstream) balance() {
	u.weight = 1
	switch u.backend.Balancing.Algorithm {
	case ir.ConsistentHash:
		u.weight = ringWeight
		// Places on the ring go by the address, so that every proxy has the same.
		u.ring = " hash-key addr-port"
		u.lines = append(u.lines, "balance hash "+u.hashed(), "hash-type consistent")
	case ir.LeastRequest:
		// The least busy of all: two of two at random would be one twice for every
		// second request.
		u.lines = append(u.lines, "balance leastconn")
	default:
		u.lines = append(u.lines, "balance roundrobin")
	}
	u.lines = append(u.lines, "option allbackups")
}

// someKey fails where a text is empty, so that it is no key.
const someKey = `,word(1,\r)`

// hashed is the key of a consistent hash, as the backend would get it.
func (u *upstream) hashed() string {
	if key := u.backend.Balancing.Hash; u.isHTTP() {
		switch key.Kind {
		case ir.HashHeader:
			return "req.fhdr(" + key.Name + ")" + someKey
		case ir.HashCookie:
			return "req.cook(" + key.Name + ")" + someKey
		}
		if u.hops {
			return "var(" + varPeer + ")"
		}
	}
	return "src"
}
