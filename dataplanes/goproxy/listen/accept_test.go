package listen

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// starved is a listener of a system that has no descriptors for a while.
type starved struct {
	conns  chan net.Conn
	errors chan error
}

func (s *starved) Accept() (net.Conn, error) {
	select {
	case err := <-s.errors:
		return nil, err
	default:
	}
	if c, open := <-s.conns; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (s *starved) Close() error   { return nil }
func (s *starved) Addr() net.Addr { return &net.TCPAddr{} }

type told struct{ failed []error }

func (*told) ConnOpened(uint16)                  {}
func (*told) ConnClosed(uint16)                  {}
func (*told) ConnRefused(uint16, string)         {}
func (t *told) AcceptFailed(_ uint16, err error) { t.failed = append(t.failed, err) }

// TestAcceptOutlivesALackOfDescriptors has a system that hands nothing over, and
// then goes on.
func TestAcceptOutlivesALackOfDescriptors(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	from := &starved{conns: make(chan net.Conn, 1), errors: make(chan error, 2)}
	from.errors <- syscall.EMFILE
	from.errors <- syscall.ENFILE
	from.conns <- ours
	close(from.conns)
	observer, served := &told{}, 0
	s := NewSockets(observer, guard.New(guard.Input{})).newSocket(netip.AddrPort{}, &Port{Serve: func(c net.Conn) {
		served++
		c.Close()
	}})
	s.listener = from
	s.accept()
	if served != 1 || len(observer.failed) != 2 || observer.failed[0] != syscall.EMFILE { //nolint:errorlint // It is the one.
		t.Errorf("%d were served after %v; want 1 after two errors", served, observer.failed)
	}
}
