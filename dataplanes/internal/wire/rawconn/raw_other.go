//go:build !linux || !(amd64 || arm64)

package rawconn

import "net"

// rawConn is not there on this platform: connections go through package net.
type rawConn struct{ wrote bool }

func newRawConn(net.Conn) *rawConn { return nil }

func (*rawConn) read([]byte) (int, error)       { return 0, net.ErrClosed }
func (*rawConn) write([]byte) (int, error)      { return 0, net.ErrClosed }
func (*rawConn) ask(_, _ []byte) (int, error)   { return 0, net.ErrClosed }
func (*rawConn) await(Lender) (int, error)      { return 0, net.ErrClosed }
func (*rawConn) control(func(fd uintptr)) error { return net.ErrClosed }
func (*rawConn) stale() bool                    { return false }
func (*rawConn) gone(bool) bool                 { return false }
