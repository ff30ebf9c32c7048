package relay

import (
	"net"
	"sync/atomic"
	"time"
)

// Conn is one side: a *net.TCPConn or a *tls.Conn.
type Conn interface {
	net.Conn
	// CloseWrite says that nothing more will be written.
	CloseWrite() error
}

// Job is what is to be relayed.
type Job struct {
	Client, Backend Conn
	// Pending was read of the client already, and goes to the backend first.
	Pending []byte
	// Idle ends the job when nothing has moved in either direction for so long;
	// 0 is no bound.
	Idle time.Duration
	// Moved is told of bytes now and then while they move, and at the end; it may
	// be called by two goroutines at once. Nil is nobody.
	Moved func(direction Direction, bytes int64)
}

// Cut ends a job by closing both sides. It does so at once, as Close waits for a
// read under way, and that for the other side to take what was read.
func (j *Job) Cut() {
	go j.Backend.Close()
	j.Client.Close()
}

// Direction is where bytes go.
type Direction int

// The directions.
const (
	ToBackend Direction = iota
	ToClient
)

// End says why a job ended. Ends are few and fixed: they are labels of metrics
// and flags in the access log.
type End string

// The ends of a job.
const (
	// Done is the end of both directions; a log says nothing of it.
	Done        End = ""
	Idle        End = "idle"
	ClientGone  End = "client_gone"
	BackendGone End = "backend_reset"
)

// Result is what a job came to.
type Result struct {
	ToBackend, ToClient int64
	End                 End
}

// report is how often bytes are told of while they move.
const report = 10 * time.Second

// Run relays until both directions have ended, and closes both connections.
func Run(job Job) Result {
	s := &session{job: job, tick: report}
	if job.Idle > 0 {
		s.tick = min(report, max(job.Idle/4, time.Millisecond))
	}
	s.active.Store(time.Now().UnixNano())
	other := make(chan outcome, 1)
	go func() { other <- s.pump(ToClient) }()
	first := s.pump(ToBackend)
	second := <-other
	job.Client.Close()
	job.Backend.Close()
	result := Result{ToBackend: first.bytes, ToClient: second.bytes}
	if end := s.end.Load(); end != nil {
		result.End = *end
	}
	return result
}

// session is a job under way.
type session struct {
	job  Job
	tick time.Duration
	// active is when bytes last moved, in nanoseconds.
	active atomic.Int64
	// end is the first reason to stop; nil while there is none.
	end atomic.Pointer[End]
}

type outcome struct{ bytes int64 }

// pump moves one direction to its end.
func (s *session) pump(d Direction) outcome {
	p := &pipe{session: s, direction: d, src: s.job.Client, dst: s.job.Backend}
	if d == ToClient {
		p.src, p.dst = p.dst, p.src
	}
	err := p.run()
	p.tell()
	if err == nil {
		return outcome{p.total}
	}
	s.stop(p.why(err))
	return outcome{p.total}
}

// stop breaks both connections off, once. Idle ones are closed, others are reset.
func (s *session) stop(end End) {
	if !s.end.CompareAndSwap(nil, &end) {
		return
	}
	if end != Idle {
		reset(s.job.Client)
		reset(s.job.Backend)
	}
	s.job.Cut()
}

// reset makes Close of a plain connection a reset, and keeps that of TLS from
// saying close_notify: the other end must not take this for a whole stream.
func reset(c Conn) {
	below, isTLS := c.(interface{ NetConn() net.Conn })
	var plain net.Conn = c
	if isTLS {
		plain = below.NetConn()
	}
	if l, ok := plain.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	if isTLS {
		plain.Close()
	}
}
