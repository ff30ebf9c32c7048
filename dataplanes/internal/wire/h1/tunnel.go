package h1

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// tunnel joins two streams after an upgrade.
type tunnel struct {
	// idle bounds how long nothing may move, stall how long the client may take
	// nothing; 0 is no bound.
	idle, stall time.Duration

	client *rawconn.Conn
	// early is what the client has said already.
	early   []byte
	backend io.ReadWriteCloser
	// moved is when an octet last moved, in either direction.
	moved atomic.Int64
}

const tunnelBuffer = 32 << 10

var tunnelBuffers = sync.Pool{New: func() any { return new([tunnelBuffer]byte) }}

// run ends when both directions have, or one of them has failed.
func (t *tunnel) run() (toClient int64, err error) {
	t.touch()
	up := make(chan error, 1)
	go func() {
		up <- t.up()
	}()
	toClient, err = t.move(t.client, t.backend)
	return toClient, firstError(err, <-up)
}

func (t *tunnel) up() error {
	if len(t.early) > 0 {
		if _, err := t.backend.Write(t.early); err != nil {
			t.cut()
			return err
		}
	}
	_, err := t.move(t.backend, t.client)
	return err
}

// write writes to one side.
func (t *tunnel) write(to io.Writer, p []byte) (int, error) {
	if to == io.Writer(t.client) {
		return t.client.Send(p, time.Now(), t.stall)
	}
	return to.Write(p)
}

func (t *tunnel) touch() { t.moved.Store(time.Now().UnixNano()) }

func (t *tunnel) quiet() time.Duration {
	return time.Duration(time.Now().UnixNano() - t.moved.Load())
}

// move copies one direction until its end, and hands the end on. After an error
// both are cut off, so that the other direction ends too.
func (t *tunnel) move(to io.Writer, from io.Reader) (int64, error) {
	buf := tunnelBuffers.Get().(*[tunnelBuffer]byte)
	defer tunnelBuffers.Put(buf)
	total, err := t.copy(to, from, buf[:])
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		t.cut()
	}
	return total, err
}

// cut ends both directions, whichever goroutine they are in.
func (t *tunnel) cut() {
	t.client.Abort()
	if backend, ok := t.backend.(interface{ Abort() }); ok {
		backend.Abort()
		return
	}
	t.backend.Close()
}

func (t *tunnel) copy(to io.Writer, from io.Reader, buf []byte) (total int64, err error) {
	for {
		if err = t.allow(from); err != nil {
			return total, err
		}
		n, err := from.Read(buf)
		if n > 0 {
			t.touch()
			k, err := t.write(to, buf[:n])
			total += int64(k)
			if err != nil {
				return total, err
			}
		}
		switch {
		case err == io.EOF:
			return total, nil
		case errors.Is(err, os.ErrDeadlineExceeded) && t.quiet() < t.idle && !t.client.Aborted():
		case err != nil:
			return total, err
		}
	}
}

// allow gives a side time until nothing will have moved for too long.
func (t *tunnel) allow(from io.Reader) error {
	timed, ok := from.(interface {
		ReadWithin(now time.Time, timeout time.Duration) error
	})
	if !ok {
		return nil
	}
	if t.idle <= 0 {
		return timed.ReadWithin(time.Time{}, 0)
	}
	return timed.ReadWithin(time.Now(), max(t.idle-t.quiet(), time.Millisecond))
}

func closeWrite(to io.Writer) error {
	half, ok := to.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
