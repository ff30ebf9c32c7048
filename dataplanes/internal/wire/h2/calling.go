package h2

import (
	"context"
	"io"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// calling is a stream with a backend, and the body of its response.
type calling struct {
	stream
	conn    *backend
	request *exchange.Request
	until   time.Time
	ended   func()
	// socket says that it is asked for a WebSocket.
	socket   bool
	response exchange.Response
	store    [16]exchange.Field
	// headed says that the head of the final response has come.
	headed  bool
	interim int
	// hints came before the final response and were not handed on yet.
	hints      []exchange.Response
	gotTrailer exchange.Header
	pump       *pump
	tie        exchange.Tie
	closed     bool
}

var _ io.ReadCloser = (*calling)(nil)

// do carries one exchange over a connection on which a place was taken.
func (b *backend) do(ctx context.Context, ask exchange.Ask) (*exchange.Response, error) {
	q := ask.Request
	cl := &calling{conn: b, request: q, until: ask.Until, socket: q.Upgrade == webSocket}
	if err := cl.begin(); err != nil {
		return nil, err
	}
	cl.tie = exchange.TieTo(ctx, cl)
	if err := cl.await(); err != nil {
		cl.Close()
		return nil, cl.why(err)
	}
	cl.ended = ask.Ended
	if cl.socket {
		return cl.upgraded(), nil
	}
	return &cl.response, nil
}

// Abort gives the exchange up, whatever its state.
func (cl *calling) Abort() {
	cl.link.mu.Lock()
	defer cl.link.mu.Unlock()
	cl.reset(errAbandoned)
}

// begin sends the request, and its content where that is there already.
func (cl *calling) begin() error {
	b := cl.conn
	if !sendable(cl.request) {
		b.giveUp()
		return errUnwritable
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone || b.dead != nil || b.out.err != nil {
		b.busy--
		return errUnbegun
	}
	cl.init(&b.link, b.nextID)
	cl.calling = cl
	b.lastID, b.nextID = b.nextID, b.nextID+2
	b.gone = b.nextID > mostWindow-2
	b.streams[cl.id] = &cl.stream
	b.appendRequest(cl)
	if !cl.localEnd && !cl.socket && !cl.sendWhole() {
		cl.pump = &pump{calling: cl, done: make(chan struct{})}
		pool.start(cl.pump)
	}
	b.ask()
	b.kick()
	return nil
}

// sendWhole sends content with the head that has come whole and that the windows
// allow.
func (cl *calling) sendWhole() bool {
	l := cl.link
	whole, ok := cl.request.Whole()
	n := int64(len(whole))
	if !ok || n > min(cl.sendWindow, l.sendWindow, l.peer.frame) || len(l.out.buf) > outLimit {
		return false
	}
	cl.sendWindow -= n
	l.sendWindow -= n
	l.out.buf = appendData(l.out.room(), cl.id, whole, true)
	l.patience.earn(len(whole))
	cl.endLocal()
	return true
}

// await waits for the head of the final response.
func (cl *calling) await() error {
	l := cl.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for !cl.headed && cl.dead == nil || len(cl.hints) > 0 {
		if len(cl.hints) > 0 {
			cl.handOn()
		} else if cl.wait(cl.until) != nil {
			cl.reset(errBackendSlow)
		}
	}
	if cl.dead == nil {
		return nil
	}
	return cl.dead
}

// why puts what was wrong with the client's content in the place of what came of
// it.
func (cl *calling) why(err error) error {
	if cl.pump == nil {
		return err
	}
	return firstError(cl.pump.fault, err)
}

// resetBy takes a reset of the backend's. One that comes behind the whole
// response says only that the rest of the request is not needed (RFC 9113,
// section 8.1).
func (cl *calling) resetBy(code http2.ErrCode) {
	l := cl.link
	if cl.remoteEnd && code == http2.ErrCodeNo {
		cl.localEnd = true
		cl.cond.Broadcast()
		l.forget(&cl.stream, byEnd)
		return
	}
	why := errBackendReset
	if code == http2.ErrCodeRefusedStream && !cl.headed {
		why = errUnprocessed
	}
	l.forget(&cl.stream, byPeer)
	cl.kill(why)
}

// Read reads the response's content.
func (cl *calling) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := cl.readBody(p, bound{until: cl.until})
	if err == io.EOF { //nolint:errorlint // It is never wrapped.
		cl.gotTrailer = cl.trailer
	}
	if err == errSlow { //nolint:errorlint // It is never wrapped.
		err = errBackendSlow
	}
	return n, err
}

// Close ends the exchange. What has not come by then is given up.
func (cl *calling) Close() error {
	l := cl.link
	l.mu.Lock()
	if cl.closed {
		l.mu.Unlock()
		return nil
	}
	cl.closed = true
	if cl.dead == nil && (!cl.remoteEnd || !cl.localEnd) {
		cl.reset(errAbandoned)
	}
	cl.discard()
	if cl.timer != nil {
		cl.timer.Stop()
	}
	l.mu.Unlock()
	cl.tie.Loosen()
	if cl.pump != nil {
		cl.pump.stop()
	}
	if cl.ended != nil {
		cl.ended()
	}
	return nil
}

// pump sends a request whose content is still coming.
type pump struct {
	calling *calling
	done    chan struct{}
	// fault is what was wrong with the client's content, to be read when the pump is
	// over.
	fault error
}

var _ task = (*pump)(nil)

func (p *pump) run() {
	defer close(p.done)
	cl := p.calling
	q := cl.request
	small := buffers.Get().(*[bufferSize]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(small)
	c := copying{to: &cl.stream, body: q.Body, length: q.Length, trailer: q.Trailer, buf: small[:]}
	defer c.free()
	for {
		done, err := c.piece()
		if done {
			return
		}
		if err != nil {
			p.fail(c.source)
			return
		}
	}
}

// fail ends the exchange, as without the content there will be no answer.
func (p *pump) fail(source error) {
	cl := p.calling
	l := cl.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if source == nil || cl.dead != nil || cl.localEnd {
		return
	}
	p.fault = contentFault(source)
	cl.reset(errAbandoned)
}

func contentFault(err error) error {
	if err == io.EOF { //nolint:errorlint // It is never wrapped.
		return io.ErrUnexpectedEOF
	}
	return err
}

// stop ends the pump and waits until it has: it reads what belongs to the
// request.
func (p *pump) stop() {
	select {
	case <-p.done:
	default:
		p.calling.request.Body.Close()
		<-p.done
	}
}
