//go:build !linux

package datagram

import "net"

const maxSource = 0

// askSources is known on Linux alone: elsewhere, replies of a socket of every
// address come from the one that the system chooses.
func askSources(*net.UDPConn) bool { return false }

func replyFrom([]byte) []byte { return nil }
