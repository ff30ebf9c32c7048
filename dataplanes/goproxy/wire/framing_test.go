package wire

import (
	"testing"
)

func TestFramingInDoubt(t *testing.T) {
	both := "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		name, sent string
		doubt      bool
	}{
		{"neither", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"a length", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", false},
		{"an encoding", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"both", "POST / HTTP/1.1\r\nHost: a\r\n" + both, true},
		{"both, the other way round", "POST / HTTP/1.1\r\ntransfer-ENCODING: chunked\r\nX: y\r\ncontent-length: 4\r\n\r\n", true},
		{"both, with bare line feeds", "POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 4\n\n", true},
		{"one in each of two requests", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"both in the second request, behind a body", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST / HTTP/1.1\r\n" + both, true},
		{"names that only begin alike", "POST / HTTP/1.1\r\nContent-Length-X: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + both, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, bytewise := &framed{}, &framed{}
			if err := whole.scan([]byte(c.sent)); err != nil {
				t.Fatal(err)
			}
			for i := range len(c.sent) {
				if err := bytewise.scan([]byte(c.sent[i : i+1])); err != nil {
					t.Fatal(err)
				}
			}
			if whole.doubt.Load() != c.doubt || bytewise.doubt.Load() != c.doubt {
				t.Errorf("in doubt: %v in one piece, %v byte by byte, want %v", whole.doubt.Load(), bytewise.doubt.Load(), c.doubt)
			}
		})
	}
}

// A client that did not negotiate HTTP/2 over TLS may not begin it.
func TestPrefaceOverTLSIsRefused(t *testing.T) {
	f := &framed{overTLS: true}
	if err := f.scan([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err == nil {
		t.Error("the preface passed, want an error")
	}
}
