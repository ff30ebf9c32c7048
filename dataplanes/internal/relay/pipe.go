package relay

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/rawio"
)

// pipe is one direction.
type pipe struct {
	*session
	direction Direction
	src, dst  Conn
	// sockets moves bytes where both sides are sockets; else it is nil, and reader
	// reads.
	sockets *direct
	reader  *rawio.Reader
	// total counts bytes, told those that Moved knows of.
	total, told int64
	// until is when the tick under way ends.
	until time.Time
	// large is set while the stream fills buffers; writing says whether an error
	// is of the side that is written to.
	large   bool
	writing bool
}

var errIdle = errors.New("nothing has moved")

// run moves bytes, one tick after the other: within one, deadlines stay as they
// are, because setting them costs more than reading.
func (p *pipe) run() error {
	if p.sockets = newDirect(p); p.sockets == nil {
		p.reader = rawio.NewReader(p.src)
	}
	if err := p.begin(); err != nil {
		return err
	}
	for {
		p.until = time.Now().Add(p.tick)
		_ = p.src.SetReadDeadline(p.until)
		if p.job.Idle > 0 {
			_ = p.dst.SetWriteDeadline(p.until.Add(p.job.Idle))
		}
		ended, err := p.move()
		if ended {
			return p.closeWrite()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || p.writing {
			return err
		}
		p.tell()
		idle := time.Since(time.Unix(0, p.active.Load()))
		if p.job.Idle > 0 && idle >= p.job.Idle {
			return errIdle
		}
	}
}

// begin writes what was read already.
func (p *pipe) begin() error {
	if p.direction != ToBackend || len(p.job.Pending) == 0 {
		return nil
	}
	p.writing = true
	n, err := p.dst.Write(p.job.Pending)
	p.writing = err != nil
	p.moved(int64(n))
	return err
}

// closeWrite passes the end on. The other direction may have ended everything
// before.
func (p *pipe) closeWrite() error {
	p.writing = true
	err := p.dst.CloseWrite()
	if errors.Is(err, net.ErrClosed) || isNotConnected(err) {
		return nil
	}
	return err
}

// move moves bytes until the stream ends or the tick does.
func (p *pipe) move() (ended bool, err error) {
	for !ended && err == nil {
		switch {
		case p.large:
			ended, err = p.splice()
		case p.sockets != nil:
			ended, err = p.sockets.move()
		default:
			ended, err = p.copy()
		}
	}
	return ended, err
}

// copy waits for bytes and passes them on. While it waits it holds no memory.
func (p *pipe) copy() (ended bool, err error) {
	buffer, n, err := p.reader.Read(false)
	if buffer != nil {
		defer rawio.Give(buffer)
	}
	if err != nil || n == 0 {
		return err == nil, err
	}
	p.writing = true
	if _, err = p.dst.Write((*buffer)[:n]); err != nil {
		return false, err
	}
	p.writing = false
	p.moved(int64(n))
	p.large = n == rawio.Small && p.splices()
	return false, nil
}

// splices says whether the kernel can move bytes from one side to the other: for
// large transfers that takes two thirds of the CPU of a copy.
func (p *pipe) splices() bool {
	_, from := p.src.(*net.TCPConn)
	_, to := p.dst.(*net.TCPConn)
	return from && to && kernelSplices
}

const (
	// burst is how long a splice waits for more, and so how long the pipe between
	// two sockets is held for nothing.
	burst = time.Second
	// burstBytes in a burst are worth another.
	burstBytes = 256 << 10
)

// splice moves bytes without a copy of ours for the length of a burst.
func (p *pipe) splice() (ended bool, err error) {
	now := time.Now()
	if !now.Before(p.until) {
		return false, os.ErrDeadlineExceeded
	}
	_ = p.src.SetReadDeadline(earlier(now.Add(burst), p.until))
	n, err := p.dst.(*net.TCPConn).ReadFrom(p.src)
	p.moved(n)
	if err == nil {
		return true, nil
	}
	p.writing = brokenWrite(err) || p.job.Idle > 0 && !time.Now().Before(p.until.Add(p.job.Idle))
	if !errors.Is(err, os.ErrDeadlineExceeded) || p.writing {
		return false, err
	}
	p.large = n >= burstBytes
	_ = p.src.SetReadDeadline(p.until)
	return false, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// moved takes down that bytes have moved. The clock is read for every write: it
// costs a hundredth of one.
func (p *pipe) moved(n int64) {
	if n > 0 {
		p.total += n
		p.active.Store(time.Now().UnixNano())
	}
}

func (p *pipe) tell() {
	if p.job.Moved != nil && p.total > p.told {
		p.job.Moved(p.direction, p.total-p.told)
	}
	p.told = p.total
}

// why says who ended the job by an error.
func (p *pipe) why(err error) End {
	switch {
	case errors.Is(err, errIdle), p.writing && errors.Is(err, os.ErrDeadlineExceeded):
		return Idle
	case (p.direction == ToBackend) != p.writing:
		return ClientGone
	default:
		return BackendGone
	}
}
