package proxyproto

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/sluice-gateway/sluice/ir"
)

// Append appends a header that speaks for a client. Ends that are not valid make
// a header without addresses; ends of two families are both written as IPv6.
func Append(b []byte, version ir.ProxyProtocolVersion, h Header) []byte {
	h.Source, h.Destination = unmapped(h.Source), unmapped(h.Destination)
	known := h.Source.IsValid() && h.Destination.IsValid()
	is4 := known && h.Source.Addr().Is4() && h.Destination.Addr().Is4()
	if version == ir.ProxyProtocolV1 {
		return appendLine(b, h, known, is4)
	}
	return appendBinary(b, h, known, is4)
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

func appendLine(b []byte, h Header, known, is4 bool) []byte {
	source, destination := h.Source.Addr(), h.Destination.Addr()
	family := "TCP4"
	switch {
	case !known:
		return append(b, "PROXY UNKNOWN\r\n"...)
	case !is4:
		family = "TCP6"
		source, destination = netip.AddrFrom16(source.As16()), netip.AddrFrom16(destination.As16())
	}
	return fmt.Appendf(b, "PROXY %s %s %s %d %d\r\n", family, source, destination, h.Source.Port(), h.Destination.Port())
}

func appendBinary(b []byte, h Header, known, is4 bool) []byte {
	b = append(b, signature...)
	if !known {
		return append(b, version2<<4|commandFor, familyUnspecified<<4, 0, 0)
	}
	if is4 {
		b = append(b, version2<<4|commandFor, familyIPv4<<4|transportStream, 0, 2*4+4)
		b = append(b, h.Source.Addr().AsSlice()...)
		b = append(b, h.Destination.Addr().AsSlice()...)
	} else {
		source, destination := h.Source.Addr().As16(), h.Destination.Addr().As16()
		b = append(b, version2<<4|commandFor, familyIPv6<<4|transportStream, 0, 2*16+4)
		b = append(append(b, source[:]...), destination[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, h.Source.Port())
	return binary.BigEndian.AppendUint16(b, h.Destination.Port())
}
