package h2

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// fieldBlock is a field block that is being received: HEADERS and the
// CONTINUATION frames behind it.
type fieldBlock struct {
	limits *Limits
	stream uint32
	// end says that the message ends with its head.
	end bool
	// open says that CONTINUATION must follow.
	open bool
	// held is the block of more than one frame; frames counts them.
	held   []byte
	frames int
	self   bool

	fields []hpack.HeaderField
	size   int
	crumbs int
	// over is why fields were left out.
	over *Error
}

// add takes a field from the decoder. What is over the limits must be decoded
// and is not kept.
func (b *fieldBlock) add(f hpack.HeaderField) {
	// As HTTP/1.1 would write it, so that the limit is one for both.
	b.size += len(f.Name) + len(f.Value) + len(": \r\n")
	if f.Name == "cookie" {
		b.crumbs++
	}
	switch {
	case b.size > b.limits.HeadBytes:
		b.over = errHead
	case len(b.fields)-max(b.crumbs-1, 0) >= b.limits.Fields+pseudoFields || b.crumbs > mostCrumbs:
		b.over = errFields
	default:
		b.fields = append(b.fields, f)
	}
}

// mostCrumbs bounds the fields that a cookie may be split into (RFC 9113,
// section 8.2.3); they count as one.
const mostCrumbs = 1000

// pseudoFields is how many of them a head may have.
const pseudoFields = 5

func (b *fieldBlock) reset() {
	clear(b.fields)
	*b = fieldBlock{limits: b.limits, fields: b.fields[:0], held: b.held[:0]}
	if cap(b.held) > bufferSize {
		b.held = nil
	}
}

// headers begins a block.
func (l *link) headers(f *http2.HeadersFrame) *Error {
	b := &l.block
	b.reset()
	b.stream, b.end, b.open = f.StreamID, f.StreamEnded(), !f.HeadersEnded()
	b.self = f.HasPriority() && f.Priority.StreamDep == f.StreamID
	if b.open {
		b.held = append(b.held, f.HeaderBlockFragment()...)
		return nil
	}
	return l.whole(f.HeaderBlockFragment())
}

// continuation goes on with a block. Each frame that adds nothing or little is
// paid for, and so is their number (CVE-2024-24549 and its kin).
func (l *link) continuation(f *http2.ContinuationFrame) *Error {
	b := &l.block
	fragment := f.HeaderBlockFragment()
	b.frames++
	if len(b.held)+len(fragment) > 2*b.limits.HeadBytes {
		return errLongBlock
	}
	if len(fragment) < initialFrame/4 && b.frames > 1 && !l.spend(costBlock) {
		return errFlood
	}
	b.held = append(b.held, fragment...)
	if b.open = !f.HeadersEnded(); b.open {
		return nil
	}
	return l.whole(b.held)
}

// whole decodes a block and hands it on. It is decoded whatever becomes of it,
// as the next one depends on it.
func (l *link) whole(block []byte) *Error {
	if len(block) > 2*l.limits.HeadBytes {
		return errLongBlock
	}
	if !updatesFirst(block) {
		return errCompression
	}
	if _, err := l.decoder.Write(block); err != nil {
		return errCompression
	}
	if l.decoder.Close() != nil {
		return errCompression
	}
	return l.role.head(&l.block)
}

// updatesFirst reports whether changes of the table's size stand before all
// fields, which the decoder does not see to while its table is empty (RFC 7541,
// section 4.2). What it cannot read it leaves to the decoder.
func updatesFirst(block []byte) bool {
	fields := false
	for i := 0; i >= 0 && i < len(block); {
		switch c := block[i]; {
		case c&0x80 != 0:
			fields, i = true, skipInteger(block, i, 7)
		case c&0xc0 == 0x40:
			fields, i = true, skipLiteral(block, i, 6)
		case c&0xe0 == 0x20:
			if fields {
				return false
			}
			i = skipInteger(block, i, 5)
		default:
			fields, i = true, skipLiteral(block, i, 4)
		}
	}
	return true
}

func skipLiteral(block []byte, i int, bits uint) int {
	named := block[i]&(1<<bits-1) != 0
	if i = skipInteger(block, i, bits); !named && i >= 0 {
		i = skipString(block, i)
	}
	if i >= 0 {
		i = skipString(block, i)
	}
	return i
}

func skipInteger(block []byte, i int, bits uint) int {
	_, next := readInteger(block, i, bits)
	return next
}

func skipString(block []byte, i int) int {
	n, next := readInteger(block, i, 7)
	if next < 0 || n > len(block)-next {
		return -1
	}
	return next + n
}

// readInteger returns an integer and where it ends; -1 where it does not.
func readInteger(block []byte, i int, bits uint) (n, next int) {
	if i >= len(block) {
		return 0, -1
	}
	most := 1<<bits - 1
	if n = int(block[i]) & most; n < most {
		return n, i + 1
	}
	for shift := 0; shift < 28; shift += 7 {
		if i++; i >= len(block) {
			return 0, -1
		}
		n += int(block[i]&0x7f) << shift
		if block[i]&0x80 == 0 {
			return n, i + 1
		}
	}
	return 0, -1
}
