package h1

import "time"

// Limits bound what a peer can make us hold. A zero field is its default.
type Limits struct {
	// HeadBytes bounds a head, from its first octet to the empty line; default 32768.
	HeadBytes int
	// Fields bounds the number of a head's or trailer's fields; default 100.
	Fields int
	// TargetBytes bounds a request-target; default 8192.
	TargetBytes int
	// NameBytes bounds a field's name; default 256.
	NameBytes int
	// TrailerBytes bounds a trailer section; default 8192.
	TrailerBytes int
	// BodyBytes bounds a request's content; 0 is no bound.
	BodyBytes int64
	// Rate is the least that a client must send of a body that is waited for, and
	// take of an answer, in octets a second, once it was waited for longer than
	// Timeouts.Read and Write; 0 is any.
	Rate int
}

// methodBytes is longer than any method in the registry.
const methodBytes = 32

// withDefaults returns l with every zero field filled in.
func (l Limits) withDefaults() Limits {
	fill := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	fill(&l.HeadBytes, 32<<10)
	fill(&l.Fields, 100)
	fill(&l.TargetBytes, 8<<10)
	fill(&l.NameBytes, 256)
	fill(&l.TrailerBytes, 8<<10)
	return l
}

// Timeouts bound how long a peer can make us wait. A zero field is no bound.
type Timeouts struct {
	// Idle is between two requests of a client.
	Idle time.Duration
	// Head is from the first octet of a request to the last of its head.
	Head time.Duration
	// Read is between two reads of a body.
	Read time.Duration
	// Write is how long one write may take.
	Write time.Duration
	// Tunnel is how long nothing may move in either direction after an upgrade.
	Tunnel time.Duration
}
