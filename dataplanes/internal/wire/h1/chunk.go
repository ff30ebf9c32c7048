package h1

import (
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// The places in which a chunked body can be (RFC 9112, section 7.1).
type place uint8

const (
	inSize place = iota
	inExtension
	inSizeLF
	inContent
	inContentCR
	inContentLF
	inTrailer
	atEnd
)

const (
	// mostSizeDigits never overflow an int64, and are more than anyone sends.
	mostSizeDigits = 15
	// mostExtensions bounds all chunk extensions of a body, in octets.
	mostExtensions = 1024
)

// chunks follows the framing of one chunked body, in pieces of any size.
type chunks struct {
	limits *Limits
	place  place
	// left is what is left of the present chunk's content.
	left       int64
	digits     int
	extensions int
	// trailer has the octets of the trailer section.
	trailer []byte
	line    int
}

// advance reads framing at the beginning of src, and returns how many octets it
// took. It stops where content begins (left is above 0), at the end of the body,
// and at the end of src. Extensions are read over, as RFC 9112, section 7.1.1
// asks, and never sent on. White space before one is refused, though the grammar
// has it (as bad): readers differ on what it belongs to.
func (c *chunks) advance(src []byte) (int, error) {
	for i, b := range src {
		if c.place == inContent || c.place == atEnd {
			return i, nil
		}
		if err := c.octet(b); err != nil {
			return i, err
		}
	}
	return len(src), nil
}

// consumed says that n octets of content were taken.
func (c *chunks) consumed(n int) {
	if c.left -= int64(n); c.left == 0 {
		c.place = inContentCR
	}
}

func (c *chunks) octet(b byte) error {
	switch c.place {
	case inSize:
		return c.size(b)
	case inExtension:
		return c.extension(b)
	case inSizeLF:
		return c.sizeEnd(b)
	case inContentCR:
		return c.expect(b, '\r', inContentLF)
	case inContentLF:
		return c.expect(b, '\n', inSize)
	default:
		return c.trailerOctet(b)
	}
}

func (c *chunks) expect(b, want byte, next place) error {
	if b != want {
		return errChunk
	}
	c.place = next
	return nil
}

func (c *chunks) size(b byte) error {
	switch {
	case field.In(b, field.IsHex):
		if c.digits++; c.digits > mostSizeDigits {
			return errChunkSize
		}
		c.left = c.left<<4 | int64(hexValue(b))
	case c.digits == 0:
		return errChunk
	case b == '\r':
		c.place = inSizeLF
	case b == ';':
		c.place = inExtension
	case b == ' ' || b == '\t':
		return errChunkExtension
	default:
		return errChunk
	}
	return nil
}

func hexValue(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b&^0x20 - 'A' + 10
}

// extension reads over an extension.
func (c *chunks) extension(b byte) error {
	if c.extensions++; c.extensions > mostExtensions {
		return errChunkExtension
	}
	switch {
	case b == '\r':
		c.place = inSizeLF
	case b != '\t' && (b < ' ' || b >= 0x7f):
		return errChunkExtension
	}
	return nil
}

func (c *chunks) sizeEnd(b byte) error {
	next := inContent
	if c.left == 0 {
		next = inTrailer
	}
	c.digits = 0
	return c.expect(b, '\n', next)
}

// trailerOctet gathers the trailer section up to its empty line.
func (c *chunks) trailerOctet(b byte) error {
	if len(c.trailer) >= c.limits.TrailerBytes {
		return errTrailers
	}
	c.trailer = append(c.trailer, b)
	n := len(c.trailer)
	if n >= 2 && c.trailer[n-2] == '\r' && b != '\n' {
		return errTrailer
	}
	if b != '\n' {
		return nil
	}
	if n-c.line < 2 || c.trailer[n-2] != '\r' {
		return errBareLF
	}
	if n-c.line == 2 {
		c.place = atEnd
	}
	c.line = n
	return nil
}

// fields parses the trailer section. What it returns shares nothing with the
// buffer. A field that must not come after the content is dropped (RFC 9110,
// section 6.5.1); one that framing or routing depend on refuses the message.
func (c *chunks) fields() (exchange.Header, error) {
	if len(c.trailer) <= 2 {
		return nil, nil
	}
	var header exchange.Header
	for s := string(c.trailer); ; {
		line, rest, err := cutLine(s)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return header, nil
		}
		if header, err = c.addTrailer(header, line); err != nil {
			return nil, err
		}
		s = rest
	}
}

func (c *chunks) addTrailer(header exchange.Header, line string) (exchange.Header, error) {
	f, err := cutField(line)
	switch {
	case err != nil:
		return nil, err
	case len(f.name) > c.limits.NameBytes || len(header) == c.limits.Fields:
		return nil, errTrailers
	}
	switch k := field.Lookalike(f.name); {
	case k == field.Plain:
		return append(header, exchange.Field{Name: f.name, Value: f.value}), nil
	case k < field.Guarded:
		return nil, errTrailer
	default:
		return header, nil
	}
}
