package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// Upstream is a connection with a backend. It carries one exchange at a time.
type Upstream struct {
	conn   *rawconn.Conn
	in     stream
	limits *Limits
	// patience is how long the next read may take.
	patience time.Duration
	// until bounds all reads of an exchange; the zero time is no bound.
	until time.Time
	// served is how many exchanges it has carried.
	served int
	// since is when its last exchange began.
	since time.Time
}

// NewUpstream takes an open connection. limits must have no zero fields; nil is
// the defaults.
func NewUpstream(c net.Conn, limits *Limits) *Upstream {
	if limits == nil {
		limits = &defaultLimits
	}
	u := &Upstream{conn: rawconn.New(c), limits: limits}
	u.in.from = u
	return u
}

var defaultLimits = Limits{}.withDefaults()

// Read reads for the stream, within the time of what is being waited for.
func (u *Upstream) Read(p []byte) (int, error) {
	for {
		now := time.Now()
		if err := u.conn.ReadWithin(now, u.timeLeft(now)); err != nil {
			return 0, err
		}
		n, err := u.conn.Read(p)
		if n > 0 || !u.early(err) {
			return n, err
		}
	}
}

func (u *Upstream) timeLeft(now time.Time) time.Duration {
	if u.until.IsZero() {
		return u.patience
	}
	left := max(u.until.Sub(now), 1)
	if u.patience > 0 {
		return min(u.patience, left)
	}
	return left
}

// early reports whether a deadline was one of those that come too early, because
// deadlines are set in steps. The next one comes in time.
func (u *Upstream) early(err error) bool {
	if err == nil || u.until.IsZero() || u.patience > 0 || u.conn.Interrupted() ||
		!errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(u.until) {
		return false
	}
	u.conn.Hurried()
	return true
}

// Stale reports whether the backend has closed an idle connection, or has
// spoken on it.
func (u *Upstream) Stale() bool { return u.conn.Stale() }

// Close closes the connection. No exchange may be in work.
func (u *Upstream) Close() error {
	u.in.free()
	return u.conn.Close()
}

// Call is one exchange with a backend.
type Call struct {
	// Context aborts the exchange when it ends; nil never does.
	Context context.Context //nolint:containedctx // A call ends before its context is of no use.
	// Request is read until Do has returned, and its Body until the response's is
	// closed. Do closes neither.
	Request *exchange.Request
	// Now is the present time.
	Now time.Time
	// Until bounds the exchange as a whole; the zero time is no bound.
	Until time.Time
	// Answer is how long the backend may take until its head has come; 0 is no
	// bound.
	Answer time.Duration
	// Read and Write bound reads of content and writes; 0 is no bound.
	Read, Write time.Duration
	// Ended is Ask's.
	Ended func()
	// Done is called once, when the exchange is over. again says whether the
	// connection can carry another; if not, it was closed.
	Done func(u *Upstream, again bool)
}

// errNoAnswer says that a connection that was used before ended with nothing of
// an answer. What is idempotent may be sent again (RFC 9110, section 9.2.2).
var errNoAnswer = refuse(502, "no-answer").gateway

// answer is what an exchange with a backend needs. It is pooled: what is handed
// out of it is valid until the response's body is closed.
type answer struct {
	up      *Upstream
	head    ResponseHead
	content content
	out     []byte
	call    Call
	pump    *pump
	tie     exchange.Tie
	// begun is true once the response was handed out.
	begun bool
}

var answers = sync.Pool{New: func() any { return &answer{out: make([]byte, 0, bufferSize/2)} }}

// Do carries one exchange. The response's Body is never nil: closing it ends the
// exchange, and makes the response's strings invalid. After an error the
// connection was closed, and Done was called. ErrStale says that nothing was
// sent; exchange.ErrBodyTooLarge, exchange.ErrStalled and an *Error below 500 are
// the client's fault.
func (u *Upstream) Do(call Call) (*exchange.Response, error) {
	a := answers.Get().(*answer)
	a.up, a.call = u, call
	u.until = call.Until
	a.tie = exchange.TieTo(call.Context, u.conn)
	a.head.Reset(ResponseInput{Limits: u.limits, Method: call.Request.Method})
	err := a.send()
	if err == nil {
		err = a.readHead()
	}
	if err != nil {
		return nil, a.fail(err)
	}
	return a.begin(), nil
}

// send sends the request and reads the first octets of the answer.
func (a *answer) send() error {
	u, q := a.up, a.call.Request
	out, err := AppendRequest(a.out[:0], q)
	if err != nil {
		return err
	}
	a.out = out[:0]
	u.patience = a.call.Answer
	if err = u.conn.WriteWithin(a.call.Now, a.writeTime()); err != nil {
		return err
	}
	if err = u.conn.ReadWithin(a.call.Now, u.timeLeft(a.call.Now)); err != nil {
		return err
	}
	whole, ok := q.Whole()
	if !ok || q.Length < 0 || len(whole) >= bufferSize {
		return a.stream(out)
	}
	out = append(out, whole...)
	a.out = out[:0]
	u.in.makeRoom()
	n, err := u.conn.Ask(out, u.in.buf[u.in.w:])
	u.in.w += n
	if n > 0 {
		return nil
	}
	if u.conn.Asked() && u.early(err) {
		return u.in.fill()
	}
	return err
}

func (a *answer) writeTime() time.Duration {
	if a.call.Until.IsZero() {
		return a.call.Write
	}
	return max(a.call.Until.Sub(a.call.Now), 1)
}

// stream sends a request whose content is still coming, beside the reading of
// the answer: a backend may answer before it has read all, or while it reads.
func (a *answer) stream(out []byte) error {
	if a.up.conn.Stale() {
		return rawconn.ErrStale
	}
	a.pump = startPump(a, out)
	return a.up.in.fill()
}

const mostInterim = 16

// readHead reads until the head of the final response is whole.
func (a *answer) readHead() error {
	u := a.up
	for interim := 0; ; {
		n, err := a.head.Parse(u.in.buffered())
		switch {
		case errors.Is(err, ErrMore):
			if err = u.in.fill(); err != nil {
				return err
			}
		case err != nil:
			return err
		case a.head.Response.Status >= 200 || a.head.Response.Status == 101:
			u.in.pin(n)
			return a.checkUpgrade()
		default:
			if interim++; interim > mostInterim {
				return errInterim
			}
			if to := a.call.Request.Interim; to != nil && a.head.Response.Status > 100 {
				to.Send(a.head.Response.Status, a.head.Response.Header)
			}
			u.in.take(n)
			a.head.Reset(ResponseInput{Limits: u.limits, Method: a.call.Request.Method})
		}
	}
}

// checkUpgrade refuses a change of protocol that was not asked for.
func (a *answer) checkUpgrade() error {
	asked := a.call.Request.Upgrade
	if a.head.Response.Status == 101 && (asked == "" || a.head.Upgrade != asked) {
		return errUnasked
	}
	return nil
}

// fail ends an exchange without a response.
func (a *answer) fail(err error) error {
	u := a.up
	nothing := len(u.in.buffered()) == 0 && u.in.keep == 0
	if a.pump != nil {
		a.pump.stop()
		err = firstError(a.pump.fault, err)
	}
	reused := u.served > 0
	a.finish(false)
	if !errors.Is(err, rawconn.ErrStale) && nothing && reused && connectionEnded(err) {
		return errNoAnswer
	}
	return sendError(err)
}

// connectionEnded reports whether err is that the other side has gone away.
func connectionEnded(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// sendError gives what the system says the status that it stands for.
func sendError(err error) error {
	var refusal *Error
	switch {
	case errors.Is(err, rawconn.ErrStale), errors.Is(err, exchange.ErrBodyTooLarge), errors.Is(err, exchange.ErrStalled), errors.As(err, &refusal):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBackendTimeout
	default:
		return errBackendClosed.gateway
	}
}

// begin hands the response out.
func (a *answer) begin() *exchange.Response {
	u, p := a.up, &a.head.Response
	u.patience, a.begun = a.call.Read, true
	a.content.reset(contentInput{stream: &u.in, framing: a.head.Framing, length: p.Length, limits: u.limits})
	if p.Status == 101 {
		p.Length, p.Body, p.Tunnel = 0, exchange.NoBody{}, &upstreamTunnel{answer: a}
		return p
	}
	p.Body = &responseBody{answer: a}
	if a.head.Framing == Chunked {
		p.Trailer = &a.content.trailer
	}
	return p
}

// finish ends the exchange and gives everything back.
func (a *answer) finish(again bool) {
	u, done, now := a.up, a.call.Done, a.call.Now
	ended := a.call.Ended
	if !a.begun {
		ended = nil
	}
	again = a.tie.Loosen() && again && !u.conn.Aborted()
	u.in.release()
	a.head.Reset(ResponseInput{Limits: u.limits})
	a.up, a.call, a.pump, a.tie, a.begun, a.content.trailer = nil, Call{}, nil, exchange.Tie{}, false, nil
	if cap(a.out) > 4*bufferSize {
		a.out = make([]byte, 0, bufferSize/2)
	}
	answers.Put(a)
	u.served++
	u.since = now
	u.conn.Carried()
	if again && len(u.in.buffered()) > 0 {
		again = false
	}
	if !again {
		u.Close()
	}
	if done != nil {
		done(u, again)
	}
	if ended != nil {
		ended()
	}
}
