package hello_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/hello"
)

// tape is a connection that says what it was given and takes whatever it is
// told.
type tape struct {
	io.Reader
	said bytes.Buffer
}

var _ net.Conn = (*tape)(nil)

func (t *tape) Write(p []byte) (int, error)      { return t.said.Write(p) }
func (t *tape) Close() error                     { return nil }
func (t *tape) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// sent is the hello that crypto/tls sends.
func sent(config *tls.Config) []byte {
	t := &tape{Reader: strings.NewReader("")}
	config.InsecureSkipVerify = true
	_ = tls.Client(t, config).Handshake()
	return t.said.Bytes()
}

// fragmented cuts the records of a hello into records of n bytes.
func fragmented(record []byte, n int) []byte {
	var all []byte
	for body := record[5:]; len(body) > 0; {
		part := body[:min(n, len(body))]
		body = body[len(part):]
		all = append(all, record[0], record[1], record[2], byte(len(part)>>8), byte(len(part)))
		all = append(all, part...)
	}
	return all
}

func TestServerName(t *testing.T) {
	for _, name := range []string{"", "a.example", "A.Example", "x-1.b.example", strings.Repeat("a", 63) + ".example"} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			whole := sent(&tls.Config{ServerName: name, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}})
			for label, bytes := range map[string][]byte{
				"whole": whole, "records of 1": fragmented(whole, 1), "records of 7": fragmented(whole, 7),
				"with more behind": append(bytes.Clone(whole), "more"...),
			} {
				for _, r := range []io.Reader{strings.NewReader(string(bytes)), iotest.OneByteReader(strings.NewReader(string(bytes)))} {
					got, err := hello.Read(r)
					if err != nil || got.ServerName != name {
						t.Errorf("%s of %q: got %q, %v", label, name, got.ServerName, err)
					}
					if !strings.HasPrefix(string(bytes), string(got.Bytes)) || len(got.Bytes) < len(bytes)-len("more") {
						t.Errorf("%s of %q: %d bytes are handed on, want all that was read of %d", label, name, len(got.Bytes), len(bytes))
					}
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	whole := sent(&tls.Config{ServerName: "a.example"})
	change := func(at int, to byte) []byte {
		c := bytes.Clone(whole)
		c[at] = to
		return c
	}
	for name, in := range map[string][]byte{
		"nothing":               {},
		"plain HTTP":            []byte("GET / HTTP/1.1\r\n\r\n"),
		"an alert":              {21, 3, 1, 0, 2, 1, 0},
		"SSL 2":                 {0x80, 0x2e, 1, 0, 2},
		"another version":       change(1, 16),
		"an empty record":       {22, 3, 1, 0, 0, 22, 3, 1, 0, 1, 1},
		"a record too long":     {22, 3, 1, 0x40, 1, 1},
		"another message":       change(5, 2),
		"a hello too long":      {22, 3, 1, 0, 4, 1, 1, 0, 0},
		"a hello cut off":       whole[:len(whole)-1],
		"a hello that is short": {22, 3, 1, 0, 5, 1, 0, 0, 1, 3},
		"a change of type":      append(fragmented(whole, 10)[:15], 23, 3, 1, 0, 1, 0),
		"an endless hello":      fragmented(append([]byte{22, 3, 1, 0, 0, 1, 0, 0x7f, 0xff}, make([]byte, 40<<10)...), 1),
	} {
		if got, err := hello.Read(bytes.NewReader(in)); err == nil {
			t.Errorf("%s was taken for a hello of %q", name, got.ServerName)
		}
	}
}

// judge is what crypto/tls reads of a hello, and whether it would answer it.
func judge(in []byte) (name string, asked bool) {
	stop := errors.New("stop")
	_ = tls.Server(&tape{Reader: bytes.NewReader(in)}, &tls.Config{
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			name, asked = info.ServerName, true
			return nil, stop
		},
	}).Handshake()
	return name, asked
}

// FuzzClientHello holds the reader to crypto/tls: what that answers is read, and
// alike; what is read and that refuses has no other name there.
func FuzzClientHello(f *testing.F) {
	for _, name := range []string{"", "a.example", "UPPER.example", "a.example."} {
		whole := sent(&tls.Config{ServerName: name})
		f.Add(whole)
		f.Add(fragmented(whole, 1))
		f.Add(fragmented(whole, 100))
		f.Add(sent(&tls.Config{ServerName: name, MaxVersion: tls.VersionTLS12}))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := hello.Read(bytes.NewReader(in))
		want, asked := judge(in)
		if asked && err == nil && got.ServerName != want {
			t.Errorf("read %q, crypto/tls reads %q", got.ServerName, want)
		}
		// A warning amid the records of a hello is nothing that a client sends, and
		// nothing that a backend should have to skip.
		amid := err != nil && strings.Contains(err.Error(), "something else")
		if asked && err != nil && !amid && len(in) <= hello.MaxBytes {
			t.Errorf("refused with %v what crypto/tls reads as %q", err, want)
		}
		if err == nil && !bytes.HasPrefix(in, got.Bytes) {
			t.Error("what is handed on is not what came")
		}
		slow, slowErr := hello.Read(iotest.OneByteReader(bytes.NewReader(in)))
		if (slowErr == nil) != (err == nil) || slow.ServerName != got.ServerName {
			t.Errorf("byte by byte: %q, %v; at once: %q, %v", slow.ServerName, slowErr, got.ServerName, err)
		}
	})
}

// BenchmarkByteByByte shows the work of the longest hello in the smallest
// pieces, which may not grow with the square of its length.
func BenchmarkByteByByte(b *testing.B) {
	longest := fragmented(append([]byte{22, 3, 1, 0, 0, 1, 0, 0x7f, 0xff}, make([]byte, 40<<10)...), 1)
	b.SetBytes(hello.MaxBytes)
	for b.Loop() {
		if _, err := hello.Read(iotest.OneByteReader(bytes.NewReader(longest))); err == nil {
			b.Fatal("an endless hello was read")
		}
	}
}
