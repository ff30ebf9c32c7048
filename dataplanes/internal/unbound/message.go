package unbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Port is a listener's and where it was to be bound.
type Port struct {
	Number uint16
	// Offset was added to it.
	Offset int
	// At is not valid where the offset puts the port out of range.
	At netip.AddrPort
}

// Message says why, and what would help; empty for an error that is nil.
func Message(p Port, err error) string {
	switch {
	case !p.At.IsValid():
		return fmt.Sprintf("port %d with an offset of %d is not a port between 1 and 65535: choose another offset", p.Number, p.Offset)
	case err == nil:
		return ""
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d cannot be bound at %s: another program or another Gateway has it; stop that program, or choose another port", p.Number, p.At)
	case errors.Is(err, os.ErrPermission):
		return fmt.Sprintf("port %d cannot be bound at %s: this user may not bind ports that low; choose a higher port or an offset", p.Number, p.At)
	default:
		return fmt.Sprintf("port %d cannot be bound at %s: %v", p.Number, p.At, Cause(err))
	}
}

// Cause is an error of the network without the address, which the message has.
func Cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
