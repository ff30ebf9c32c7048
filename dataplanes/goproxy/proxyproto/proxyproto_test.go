package proxyproto_test

import (
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/proxyproto"
	"github.com/sluice-gateway/sluice/ir"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

func ends(source, destination string) proxyproto.Header {
	return proxyproto.Header{Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination)}
}

var accepted = map[string]struct {
	in   string
	want proxyproto.Header
}{
	"v1 TCP4":          {"PROXY TCP4 192.0.2.1 198.51.100.2 1 65535\r\n", ends("192.0.2.1:1", "198.51.100.2:65535")},
	"v1 TCP6":          {"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", ends("[2001:db8::1]:56324", "[2001:db8::2]:443")},
	"v1 TCP6 mapped":   {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n", ends("192.0.2.1:1", "198.51.100.2:2")},
	"v1 longest":       {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n", ends("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535")},
	"v1 unknown":       {"PROXY UNKNOWN\r\n", proxyproto.Header{}},
	"v1 unknown, more": {"PROXY UNKNOWN ffff:f... 1 2\r\n", proxyproto.Header{}},
	"v2 IPv4":          {signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff", ends("192.0.2.1:1", "198.51.100.2:65535")},
	"v2 IPv4, TLVs":    {signature + "\x21\x11\x00\x10\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff\x04\x00\x01\x00", ends("192.0.2.1:1", "198.51.100.2:65535")},
	"v2 IPv6": {signature + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" +
		"\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02\x01\x00\x00\x50", ends("[2001:db8::1]:256", "[2001:db8::2]:80")},
	"v2 LOCAL":            {signature + "\x20\x00\x00\x00", proxyproto.Header{}},
	"v2 LOCAL, addresses": {signature + "\x20\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff", proxyproto.Header{}},
	"v2 UNSPEC":           {signature + "\x21\x00\x00\x02ab", proxyproto.Header{}},
	"v2 Unix":             {signature + "\x21\x31\x00\x01a", proxyproto.Header{}},
}

var refused = map[string]string{
	"nothing":                "",
	"a request":              "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"lower case":             "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"bare LF":                "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
	"a CR inside":            "PROXY TCP4 192.0.2.1\r 192.0.2.2 1 2\r\n",
	"two spaces":             "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"a tab":                  "PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"a space at the end":     "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
	"a port too high":        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
	"a signed port":          "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
	"a leading zero":         "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
	"a leading zero in IP":   "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
	"a port missing":         "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
	"another family":         "PROXY TCP4 ::1 ::2 1 2\r\n",
	"a name":                 "PROXY TCP4 localhost 192.0.2.2 1 2\r\n",
	"a zone":                 "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n",
	"an unknown protocol":    "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"an endless line":        "PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n",
	"a line cut off":         "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r",
	"v2 cut in signature":    signature[:8],
	"v2 cut in addresses":    signature + "\x21\x11\x00\x0c\xc0\x00",
	"v2 of version 1":        signature + "\x11\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff",
	"v2 unknown command":     signature + "\x22\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff",
	"v2 unknown family":      signature + "\x21\x41\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff",
	"v2 datagrams":           signature + "\x21\x12\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff",
	"v2 IPv4 too short":      signature + "\x21\x11\x00\x0b\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff",
	"v2 IPv6 with IPv4's":    signature + "\x21\x21\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x00\x01\xff\xff",
	"v2 longer than we take": signature + "\x21\x11\xff\xff" + strings.Repeat("x", 65535),
}

func TestReadTakesTheHeaderAlone(t *testing.T) {
	for name, c := range accepted {
		for _, reader := range []io.Reader{strings.NewReader(c.in + "rest"), iotest.OneByteReader(strings.NewReader(c.in + "rest"))} {
			got, err := proxyproto.Read(reader)
			if err != nil || got != c.want {
				t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
			}
			if rest, _ := io.ReadAll(reader); string(rest) != "rest" {
				t.Errorf("%s: %q is left, want %q", name, rest, "rest")
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, in := range refused {
		if got, err := proxyproto.Read(strings.NewReader(in)); err == nil {
			t.Errorf("%s was taken for %v", name, got)
		}
	}
}

func TestAppend(t *testing.T) {
	for want, h := range map[string]proxyproto.Header{
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n":          ends("[::ffff:192.0.2.1]:1", "198.51.100.2:2"),
		"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 1 2\r\n": ends("[2001:db8::1]:1", "198.51.100.2:2"),
		"PROXY UNKNOWN\r\n":                                  {},
		"PROXY TCP6 fe80::1 fe80::2 1 2\r\n":                 ends("[fe80::1%eth0]:1", "[fe80::2%eth0]:2"),
	} {
		if got := string(proxyproto.Append(nil, ir.ProxyProtocolV1, h)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		back, err := proxyproto.Read(bytes.NewReader(proxyproto.Append(nil, ir.ProxyProtocolV2, h)))
		if err != nil || back.Source.Port() != h.Source.Port() || back.Source.Addr() != h.Source.Addr().Unmap().WithZone("") {
			t.Errorf("version 2 of %v reads back as %v, %v", h, back, err)
		}
	}
}

// FuzzHeader reads whatever comes: what is taken can be written and reads back
// the same, and never a byte behind the header is touched.
func FuzzHeader(f *testing.F) {
	for _, c := range accepted {
		f.Add([]byte(c.in))
	}
	for _, in := range refused {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		reader := bytes.NewReader(in)
		got, err := proxyproto.Read(reader)
		if err != nil {
			return
		}
		length := len(in) - reader.Len()
		again, err := proxyproto.Read(bytes.NewReader(in[:length]))
		if err != nil || again != got {
			t.Fatalf("the header alone reads as %v, %v; with what follows as %v", again, err, got)
		}
		if _, err := proxyproto.Read(bytes.NewReader(in[:length-1])); err == nil {
			t.Fatal("the header is complete without its last byte")
		}
		for _, version := range []ir.ProxyProtocolVersion{ir.ProxyProtocolV1, ir.ProxyProtocolV2} {
			back, err := proxyproto.Read(bytes.NewReader(proxyproto.Append(nil, version, got)))
			if err != nil || back != got {
				t.Fatalf("%s of %v reads back as %v, %v", version, got, back, err)
			}
		}
	})
}
