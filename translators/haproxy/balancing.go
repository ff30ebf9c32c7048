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
		key, always := u.hashed()
		u.lines = append(u.lines, "balance hash "+key, "hash-type consistent")
		if !always {
			// HAProxy would walk along the ring, and not take turns.
			u.request = append(u.request, "http-request lua.turn unless { "+key+" -m found }")
			u.last = append(u.last, "use-server %[var(txn.turn)] if { var(txn.turn) -m found }")
		}
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

// hashed is the key of a consistent hash, as the backend would get it, and whether
// there always is one.
func (u *upstream) hashed() (key string, always bool) {
	if !u.isHTTP() {
		return "src", true
	}
	switch key := u.backend.Balancing.Hash; {
	case key.Kind == ir.HashHeader:
		return "req.fhdr(" + key.Name + ")" + someKey, false
	case key.Kind == ir.HashCookie:
		return "req.cook(" + key.Name + ")" + someKey, false
	case u.hops:
		return "var(" + varPeer + ")", true
	}
	return "src", true
}
