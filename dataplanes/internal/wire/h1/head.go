package h1

import (
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// Framing is how the content of a message is told apart from what follows it.
type Framing uint8

const (
	// NoBody is a message that ends with its head.
	NoBody Framing = iota
	// Sized is content of a known length, above 0.
	Sized
	// Chunked is content in chunks (RFC 9112, section 7.1).
	Chunked
	// UntilClose is a response's content that ends with the connection.
	UntilClose
)

// mostOptions bounds the options of Connection fields: each is held against
// each field.
const mostOptions = 16

// head is what requests and responses have in common.
type head struct {
	limits *Limits
	minor  int
	fields exchange.Header
	// options are what Connection names beyond what the codec knows.
	options []string

	host, upgrade, expect      string
	trailerNames               string
	hosts, upgrades, expects   int
	length                     int64
	hasLength, chunked         bool
	optClose, optKeep, optUpgr bool
	trailers                   bool

	scan scan
}

// reset forgets a message, and keeps the storage.
func (h *head) reset(limits *Limits) {
	clear(h.fields)
	clear(h.options)
	*h = head{limits: limits, fields: h.fields[:0], options: h.options[:0]}
}

// adopt takes back the storage of a header that was handed out, which filters
// may have made larger.
func (h *head) adopt(header exchange.Header) {
	clear(header)
	if cap(header) > cap(h.fields) {
		h.fields = header[:0]
	}
}

// scan finds the end of a head that comes in pieces, and looks at each octet
// once, however small the pieces are.
type scan struct {
	line, seen, lines int
}

// firstLine is what begins a head: a request-line or a status-line.
type firstLine interface {
	firstLine(line string) error
	// tooLong refuses one that has come to n octets without its end.
	tooLong(n int) error
}

// complete reports whether buf holds a whole head. It refuses at once what no
// further octet can make right.
func (s *scan) complete(buf []byte, limits *Limits, first firstLine) (bool, error) {
	for {
		i := strings.IndexByte(inPlace(buf[s.seen:]), '\n')
		if i < 0 {
			s.seen = len(buf)
			return false, s.tooLong(len(buf), limits, first)
		}
		end := s.seen + i
		if end == s.line || buf[end-1] != '\r' {
			return false, errBareLF
		}
		if end == s.line+1 && s.lines > 0 {
			return true, nil
		}
		if err := s.check(inPlace(buf[s.line:end-1]), first); err != nil {
			return false, err
		}
		s.seen, s.line = end+1, end+1
		if s.lines++; s.lines > limits.Fields+1 {
			return false, errFields
		}
	}
}

// check judges a line that is whole, before the head is.
func (s *scan) check(line string, first firstLine) error {
	if s.lines == 0 {
		return first.firstLine(line)
	}
	_, err := cutField(line)
	return err
}

// tooLong refuses a head of n octets that has no end yet.
func (s *scan) tooLong(n int, limits *Limits, first firstLine) error {
	if s.lines == 0 {
		if err := first.tooLong(n); err != nil {
			return err
		}
	}
	if n >= limits.HeadBytes {
		return errHead
	}
	return nil
}

// cutLine takes a line off s, without its CRLF.
func cutLine(s string) (line, rest string, err error) {
	i := strings.IndexByte(s, '\n')
	switch {
	case i < 0:
		return "", "", ErrMore
	case i == 0 || s[i-1] != '\r':
		return "", "", errBareLF
	default:
		return s[:i-1], s[i+1:], nil
	}
}

// parseFields reads fields up to the empty line, and returns what follows.
func (h *head) parseFields(s string) (rest string, err error) {
	for n := 0; ; n++ {
		var line string
		if line, s, err = cutLine(s); err != nil {
			return "", err
		}
		if line == "" {
			return s, h.settle()
		}
		if n == h.limits.Fields {
			return "", errFields
		}
		if err = h.field(line); err != nil {
			return "", err
		}
	}
}

func (h *head) field(line string) error {
	f, err := cutField(line)
	if err != nil {
		return err
	}
	if len(f.name) > h.limits.NameBytes {
		return errLongName
	}
	if k := field.KindOf(f.name); k != field.Plain {
		return h.special(k, f.value)
	}
	if f.odd {
		if drop, err := judgeLookalike(f.name); drop {
			return err
		}
	}
	h.fields = append(h.fields, exchange.Field{Name: f.name, Value: f.value})
	return nil
}

// judgeLookalike says whether a name is taken off because backends may take it
// for another, and whether the message is refused for it.
func judgeLookalike(name string) (drop bool, err error) {
	switch field.Lookalike(name) {
	case field.Host, field.Length, field.Coding, field.Connection:
		return true, errLookalike
	case field.Hop, field.Guarded, field.Upgrade, field.Expect, field.Trailer, field.TE:
		return true, nil
	default:
		return false, nil
	}
}

func (h *head) special(k field.Kind, value string) error {
	switch k {
	case field.Host:
		if h.hosts++; h.hosts > 1 {
			return errHosts
		}
		h.host = value
	case field.Length:
		return h.contentLength(value)
	case field.Coding:
		return h.transferCoding(value)
	case field.Connection:
		return h.connection(value)
	case field.Upgrade:
		h.upgrades++
		h.upgrade = value
	case field.Expect:
		h.expects++
		h.expect = value
	case field.Trailer:
		h.trailerNames = value
		return checkAnnounced(value)
	case field.TE:
		h.trailers = h.trailers || takesTrailers(value)
	}
	return nil
}

// takesTrailers reports whether a TE field says that trailers are welcome.
func takesTrailers(value string) bool {
	for rest := value; rest != ""; {
		var coding string
		if coding, rest = field.NextItem(rest); field.Folds(coding, "trailers") {
			return true
		}
	}
	return false
}

// checkAnnounced refuses a Trailer field that announces what no trailer may be.
func checkAnnounced(value string) error {
	for rest := value; rest != ""; {
		var name string
		name, rest = field.NextItem(rest)
		switch field.KindOf(name) {
		case field.Host, field.Length, field.Coding, field.Trailer, field.Connection:
			return errTrailer
		}
	}
	return nil
}

// contentLength takes one length alone, though a list of equal ones could be
// read as one (RFC 9112, section 6.3): who sends two has not counted.
func (h *head) contentLength(value string) error {
	if h.hasLength {
		return errLengths
	}
	// 18 digits are the most that never overflow.
	if value == "" || len(value) > 18 {
		return errLength
	}
	n := int64(0)
	for i := 0; i < len(value); i++ {
		if value[i] < '0' || value[i] > '9' {
			return errLength
		}
		n = n*10 + int64(value[i]-'0')
	}
	h.length, h.hasLength = n, true
	return nil
}

// transferCoding takes "chunked" alone. Another coding before it is one that we
// do not know; anything that does not end in it has no end (RFC 9112, section
// 6.3).
func (h *head) transferCoding(value string) error {
	if h.minor == 0 {
		return errOldCoding
	}
	if !h.chunked && field.Folds(value, "chunked") {
		h.chunked = true
		return nil
	}
	if comma := strings.LastIndexByte(value, ','); !h.chunked && comma > 0 && field.Folds(field.Trim(value[comma+1:]), "chunked") {
		if first, _ := field.NextItem(value); !field.Folds(first, "chunked") {
			return errUnknownCoding
		}
	}
	return errCoding
}

func (h *head) connection(value string) error {
	for rest := value; rest != ""; {
		var option string
		if option, rest = field.NextItem(rest); option == "" {
			continue
		}
		if err := h.option(option); err != nil {
			return err
		}
	}
	return nil
}

func (h *head) option(option string) error {
	switch {
	case field.Folds(option, "close"):
		h.optClose = true
	case field.Folds(option, "keep-alive"):
		h.optKeep = true
	case field.Folds(option, "upgrade"):
		h.optUpgr = true
	default:
		return h.nominate(option)
	}
	return nil
}

// nominate remembers a field that ends here because Connection names it. One
// that routing or framing depends on cannot be named so.
func (h *head) nominate(option string) error {
	if !field.IsToken(option) || len(h.options) == mostOptions {
		return errConnection
	}
	switch field.KindOf(option) {
	case field.Host, field.Length, field.Coding, field.Connection:
		return errConnection
	case field.Plain:
		h.options = append(h.options, option)
	}
	return nil
}

// settle checks what can be told when all fields are there.
func (h *head) settle() error {
	if h.chunked && h.hasLength {
		return errLengthAndCoding
	}
	for _, option := range h.options {
		h.fields.Del(option)
	}
	return nil
}

// closes reports whether the connection ends after this message. HTTP/1.0 has
// persistence by agreement only (RFC 9112, section 9.3), which we never make.
func (h *head) closes() bool { return h.minor == 0 || h.optClose }
