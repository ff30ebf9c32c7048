package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a PROXY header says.
type Header struct {
	// Source and Destination are the ends of the connection that the sender
	// accepted. They are not valid where the sender speaks for itself (LOCAL) or
	// names no addresses of ours (UNKNOWN, UNSPEC, sockets of Unix): the
	// connection's own ends count then.
	Source, Destination netip.AddrPort
}

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	// maxLine is the longest line of version 1, its end included.
	maxLine = 107
	// maxBlock bounds addresses and TLVs of version 2. What load balancers send
	// has some hundred bytes.
	maxBlock = 4 << 10
)

var errNoHeader = errors.New("the connection does not begin with a PROXY header")

// Read reads one header. The connection's read deadline bounds the time.
func Read(r io.Reader) (Header, error) {
	// No header of any version is shorter than the signature.
	var start [len(signature)]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return Header{}, fmt.Errorf("PROXY header: %w", err)
	}
	switch {
	case string(start[:]) == signature:
		return readBinary(r)
	case strings.HasPrefix(string(start[:]), "PROXY "):
		return readLine(r, start[:])
	default:
		return Header{}, errNoHeader
	}
}

// readLine reads version 1 byte by byte: the bytes behind the line are not ours,
// and could not be put back.
func readLine(r io.Reader, start []byte) (Header, error) {
	line := append(make([]byte, 0, maxLine), start...)
	for !strings.HasSuffix(string(line), "\n") {
		if len(line) == maxLine {
			return Header{}, fmt.Errorf("PROXY header: the line is longer than %d bytes", maxLine)
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return Header{}, fmt.Errorf("PROXY header: %w", err)
		}
	}
	text, whole := strings.CutSuffix(string(line), "\r\n")
	if !whole || strings.ContainsAny(text, "\r\n") {
		return Header{}, errors.New("PROXY header: the line does not end in CR LF")
	}
	return parseLine(text)
}

func parseLine(text string) (Header, error) {
	fields := strings.Split(text, " ")
	if fields[1] == "UNKNOWN" {
		return Header{}, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return Header{}, errors.New("PROXY header: want PROXY, TCP4 or TCP6, two addresses and two ports, or UNKNOWN")
	}
	is4 := fields[1] == "TCP4"
	source, err := end(fields[2], fields[4], is4)
	if err != nil {
		return Header{}, err
	}
	destination, err := end(fields[3], fields[5], is4)
	return Header{Source: source, Destination: destination}, err
}

func end(address, port string, is4 bool) (netip.AddrPort, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() != is4 || ip.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("PROXY header: %q is no address of the family that it names", address)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(number, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("PROXY header: %q is no port", port)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}

// The bytes of version 2 that say what follows.
const (
	version2   = 0x2
	commandOwn = 0x0
	commandFor = 0x1

	familyUnspecified = 0x0
	familyIPv4        = 0x1
	familyIPv6        = 0x2
	familyUnix        = 0x3

	transportStream = 0x1
)

func readBinary(r io.Reader) (Header, error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return Header{}, fmt.Errorf("PROXY header: %w", err)
	}
	n := int(binary.BigEndian.Uint16(fixed[2:]))
	if n > maxBlock {
		return Header{}, fmt.Errorf("PROXY header: %d bytes of addresses and extensions, at most %d are taken", n, maxBlock)
	}
	version, command := fixed[0]>>4, fixed[0]&0xf
	if version != version2 || command > commandFor {
		return Header{}, fmt.Errorf("PROXY header: version and command %#x are unknown", fixed[0])
	}
	block := make([]byte, n)
	if _, err := io.ReadFull(r, block); err != nil {
		return Header{}, fmt.Errorf("PROXY header: %w", err)
	}
	if command == commandOwn {
		return Header{}, nil
	}
	return parseBlock(fixed[1]>>4, fixed[1]&0xf, block)
}

// parseBlock reads the addresses; the extensions behind them are skipped.
func parseBlock(family, transport byte, block []byte) (Header, error) {
	switch family {
	case familyUnspecified, familyUnix:
		return Header{}, nil
	case familyIPv4, familyIPv6:
	default:
		return Header{}, fmt.Errorf("PROXY header: address family %d is unknown", family)
	}
	if transport != transportStream {
		return Header{}, fmt.Errorf("PROXY header: transport %d on a stream", transport)
	}
	size := 4
	if family == familyIPv6 {
		size = 16
	}
	if len(block) < 2*size+4 {
		return Header{}, fmt.Errorf("PROXY header: %d bytes are too few for two addresses and ports", len(block))
	}
	source, _ := netip.AddrFromSlice(block[:size])
	destination, _ := netip.AddrFromSlice(block[size : 2*size])
	ports := block[2*size:]
	return Header{
		Source:      netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(ports)),
		Destination: netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(ports[2:])),
	}, nil
}
