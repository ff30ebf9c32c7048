package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// framed watches what a client of HTTP/1.1 sends for a header that has both a
// length and an encoding. A proxy in front of this one may go by the length
// where net/http goes by the encoding and forgets the length, so what follows
// such a request may have been somebody else's: it is refused and its
// connection closed (RFC 9112, section 6.3).
//
// It reads lines wherever they are, in bodies too: what it takes for a header
// by mistake costs a connection, and it overlooks none.
type framed struct {
	net.Conn
	// overTLS connections did not agree on HTTP/2, and may not begin it.
	overTLS bool
	// doubt is true once a header had both, coded once one had an encoding.
	doubt, coded atomic.Bool

	// line is the beginning of the line that is being read.
	line             []byte
	lines            int
	length, encoding bool
	off              bool
}

// longestName is as much of a line as tells the names apart.
const longestName = len("transfer-encoding") + 1

var errPreface = errors.New("HTTP/2 was not negotiated")

// watchFraming returns the connection, watched unless it speaks HTTP/2.
func watchFraming(c net.Conn) net.Conn {
	secure, overTLS := c.(*tls.Conn)
	if overTLS && secure.ConnectionState().NegotiatedProtocol == "h2" {
		return c
	}
	return &framed{Conn: c, overTLS: overTLS}
}

// NetConn returns the connection that is watched.
func (f *framed) NetConn() net.Conn { return f.Conn }

// CloseWrite ends our side of the stream alone, for tunnels.
func (f *framed) CloseWrite() error { return closeWrite(f.Conn) }

func (f *framed) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if scanErr := f.scan(p[:n]); scanErr != nil {
		return 0, scanErr
	}
	return n, err
}

func (f *framed) scan(p []byte) error {
	for !f.off && len(p) > 0 {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		f.line = append(f.line, part[:min(len(part), longestName-len(f.line))]...)
		if !whole {
			return nil
		}
		if err := f.endLine(); err != nil {
			return err
		}
		p = rest
	}
	return nil
}

func (f *framed) endLine() error {
	line := bytes.TrimSuffix(f.line, []byte("\r"))
	switch {
	case f.lines == 0 && bytes.HasPrefix(line, []byte("PRI * HTTP/2.0")):
		f.off = true
		if f.overTLS {
			return errPreface
		}
	case len(line) == 0:
		f.length, f.encoding = false, false
	default:
		f.length = f.length || names(line, "content-length")
		if names(line, "transfer-encoding") {
			f.encoding = true
			f.coded.Store(true)
		}
	}
	if f.length && f.encoding {
		f.doubt.Store(true)
		f.off = true
	}
	f.line = f.line[:0]
	f.lines++
	return nil
}

// names reports whether a line is a field of that name.
func names(line []byte, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name))
}

type framedKey struct{}

// inDoubt reports whether a request's length could be read in two ways: it has
// an encoding and a length, or an encoding and HTTP/1.0, which knows none (RFC
// 9112, section 6.1). What the connection saw beside may have been another's
// body: a request that is neither is let be.
func inDoubt(r *http.Request) bool {
	f, ok := r.Context().Value(framedKey{}).(*framed)
	switch {
	case !ok:
		return false
	case !r.ProtoAtLeast(1, 1):
		return f.coded.Load()
	default:
		return len(r.TransferEncoding) > 0 && f.doubt.Load()
	}
}
