package h2

import "time"

// Limits bound what a peer can make us hold, or do for nothing. A zero field is
// its default.
type Limits struct {
	// HeadBytes bounds the fields of a message, counted as HTTP/1.1 writes them;
	// default 32768. What is over it is answered 431; a field block of more than
	// twice as many octets ends the connection.
	HeadBytes int
	// Fields bounds the number of a head's or trailer's fields; default 100. The
	// pieces of a cookie count as one.
	Fields int
	// TargetBytes bounds a path with its query; default 8192.
	TargetBytes int
	// NameBytes bounds a field's name; default 256.
	NameBytes int
	// BodyBytes bounds a request's content; 0 is no bound.
	BodyBytes int64
	// Rate is the least that a client must send of a body that is waited for, in
	// octets a second, once it was waited for longer than Timeouts.Read; 0 is any.
	Rate int
	// Streams bounds the streams of a connection; default 128. Those whose stream has
	// ended and whose handler has not, because its client has reset it or because it
	// is about to return, may be as many again.
	Streams int
	// StreamWindow is how much of one message may be held that nobody has read;
	// default 262144. A stream begins with a quarter of that, and gets the rest as
	// its reader keeps up.
	StreamWindow int
	// ConnWindow is the same for all requests of a connection; default 1048576.
	// Responses of backends are bounded by StreamWindow alone.
	ConnWindow int
	// Patience is how much useless work a peer may cause at once, and PatienceRate
	// how much of that is forgotten in a second; default 2000 and 200. An ordinary
	// useless frame costs 1, a stream that is reset before its answer 5. Each frame
	// of an answer earns 8, and each KiB of its content 1.
	Patience, PatienceRate int
}

// listBytes is HeadBytes as a peer counts, who adds 32 octets to each field (RFC
// 9113, section 6.5.2).
func (l *Limits) listBytes() uint32 {
	return uint32(min(l.HeadBytes+32*(l.Fields+pseudoFields), mostWindow))
}

// firstWindow is what a stream begins with.
func (l *Limits) firstWindow() int64 { return int64(max(l.StreamWindow/4, 1)) }

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
	fill(&l.Streams, 128)
	fill(&l.StreamWindow, 256<<10)
	fill(&l.ConnWindow, 1<<20)
	fill(&l.Patience, 2000)
	fill(&l.PatienceRate, 200)
	l.StreamWindow = min(l.StreamWindow, mostWindow)
	l.ConnWindow = max(min(l.ConnWindow, mostWindow), initialWindow)
	return l
}

// Timeouts bound how long a peer can make us wait. A zero field is no bound.
type Timeouts struct {
	// Idle is how long a connection may have no stream.
	Idle time.Duration
	// Head is how long the preface may take, and each field block and each frame that
	// is not content from its first octet to its last.
	Head time.Duration
	// Read is how long a body's next octets may take.
	Read time.Duration
	// Write is how long one write may take, and how long a stream may wait for its
	// peer to open a window.
	Write time.Duration
	// Tunnel is how long nothing may move in either direction of a tunnel.
	Tunnel time.Duration
	// Ping is how long a connection with streams may be silent until it is asked
	// whether it lives; it then has as long again to answer.
	Ping time.Duration
}
