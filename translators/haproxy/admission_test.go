package haproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// admitting is HAProxy with nothing but the admission of a unit. It says in fields
// what came through.
type admitting struct{ at netip.AddrPort }

func admits(t *testing.T, settings ir.Settings) admitting {
	t.Helper()
	return admitsBy(t, settings, admit)
}

func admitsBy(t *testing.T, settings ir.Settings, script string) admitting {
	t.Helper()
	c := Translate(&ir.Unit{Proxy: &ir.Proxy{Settings: settings}}, Target{Address: netip.MustParseAddr("127.0.0.1"), Trail: "sluice-0123"}, nil)
	p := &order.Port{Port: 80, Protocol: ir.HTTP}
	r := &rig{dir: t.TempDir(), at: map[uint16]netip.AddrPort{80: loopback(t)}}
	front := &Section{Kind: "frontend", Name: "f", Lines: append([]string{"bind " + r.at[80].String()}, c.admission(p)...)}
	front.Lines = append(front.Lines, "http-request return status 200 hdr got-host %[var(txn.host)] hdr got-path %[path] hdr got-peer %[var(txn.peer)] hdr got-names %[req.hdr_names] "+
		"hdr got-for %[req.fhdr(x-forwarded-for)] hdr got-proto %[req.fhdr(x-forwarded-proto)] hdr got-forwarded-host %[req.fhdr(x-forwarded-host)] hdr got-port %[req.fhdr(x-forwarded-port)] "+
		"hdr got-id %[req.fhdr(x-request-id)] hdr got-forwarded %[req.fhdr(forwarded)] hdr got-counted %[req.fhdr_cnt(x-forwarded-for)]")
	var b strings.Builder
	for _, s := range append([]*Section{{Kind: "global", Lines: append([]string{"lua-load-per-thread " + admitScript, "nbthread 1"}, c.buffers()...)}, c.defaults(), front}, c.backends()...) {
		s.write(&b)
	}
	write(t, filepath.Join(r.dir, admitScript), script)
	write(t, filepath.Join(r.dir, "haproxy.cfg"), b.String())
	r.start(t)
	return admitting{r.at[80]}
}

// send writes octets and reads an answer.
func (a admitting) send(t fails, octets string) *http.Response {
	t.Helper()
	answer, _ := a.read(t, octets)
	return answer
}

func (a admitting) read(t fails, octets string) (*http.Response, string) {
	t.Helper()
	connection, err := net.Dial("tcp", a.at.String()) //nolint:noctx // It is on this machine.
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(answersWithin))
	if _, err := io.WriteString(connection, octets); err != nil {
		t.Fatalf("%v", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("%q: %v", octets, err)
	}
	body, _ := io.ReadAll(answer.Body)
	return answer, string(body)
}

// whole is an answer's status and body, or its gRPC status.
func (a admitting) whole(t fails, octets string) string {
	t.Helper()
	answer, body := a.read(t, octets)
	return strings.TrimSpace(fmt.Sprintf("%d %s%s", answer.StatusCode, answer.Header.Get("Grpc-Status"), body))
}

func (a admitting) get(t fails, target string, fields ...string) *http.Response {
	t.Helper()
	if len(fields) == 0 {
		fields = []string{"Host: a.example"}
	}
	return a.send(t, "GET "+target+" HTTP/1.1\r\n"+strings.Join(fields, "\r\n")+"\r\n\r\n")
}

// TestPathsAreReadAsOthersDo holds what HAProxy makes of random paths to package
// requestpath.
func TestPathsAreReadAsOthersDo(t *testing.T) {
	doors := map[requestpath.Slashes]admitting{
		requestpath.RejectSlashes: admits(t, ir.Settings{}),
		requestpath.KeepSlashes:   admits(t, ir.Settings{Path: ir.PathSettings{KeepEncodedSlashes: true}}),
	}
	piece := rapid.SampledFrom([]string{
		"/", "/", "/", ".", "..", "%2e", "%2E", "%2F", "%2f", "%5C", "%5c", ";", ";x", "%3b", "%3B", "a", "b", "~", "%7E", "%41", "%c3%a9", "%C3%A9",
		"{", "}", "|", "^", "[", "]", "\"", "<", ">", "`", "\\", "%00", "%1f", "%7f", "%zz", "%", "%4", "%252F", "%25", "%20", "!$&'()*+,;=:@", "-_",
		"\x01", "\x7f", "\xc3", "#", "%2B", "%2D", "%2C", "%30", "%3A", "%40", "%5B", "%5F", "%60", "%7A", "%7B", "%80", "%FF", "%ff",
	})
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "path"), "")
		for slashes, door := range doors {
			want, err := slashes.Normalise(path)
			answer := door.get(t, path)
			got := answer.Header.Get("Got-Path")
			switch {
			case err != nil && answer.StatusCode != badRequest:
				t.Fatalf("%q (kept: %v) is answered %d, %q; want 400: %v", path, slashes, answer.StatusCode, got, err)
			case err == nil && got != want:
				t.Fatalf("%q (kept: %v) is answered %d, %q; want %q", path, slashes, answer.StatusCode, got, want)
			}
		}
	})
}

func TestHosts(t *testing.T) {
	door := admits(t, ir.Settings{})
	for host, want := range map[string]string{
		"a.example": "a.example", "A.Example": "a.example", "a.example:80": "a.example", "a.example:65535": "a.example",
		"a.example.": "a.example", "a.example.:80": "a.example", "_a~-1": "_a~-1", "127.0.0.1:8080": "127.0.0.1",
		"[::1]": "::1", "[::1]:80": "::1", "[2001:DB8::1]": "2001:db8::1", strings.Repeat("a.", 127): strings.Repeat("a.", 126) + "a",
		"a.example:00080": "a.example",
	} {
		if got := door.get(t, "/", "Host: "+host).Header.Get("Got-Host"); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
	for _, host := range []string{
		"", "a b", "a.example:", "a.example:0", "a.example:65536", "a.example:x", "u@a.example", ".a", ".", "a..b", "a..", "a:1:2", "[::1", "::1",
		"[::1]x", "[1.2.3.4]", "[fe80::1%25lo]", "[]", "a%41", "a/b", "a,b", strings.Repeat("a.", 127) + "a", "\xc3\xa9",
	} {
		if got := door.get(t, "/", "Host: "+host).StatusCode; got != badRequest {
			t.Errorf("%q is answered %d, want 400", host, got)
		}
	}
	if got := door.send(t, "GET / HTTP/1.1\r\nX: y\r\n\r\n").StatusCode; got != badRequest {
		t.Errorf("no host is answered %d, want 400", got)
	}
}

func TestFieldsThatEndHere(t *testing.T) {
	door := admits(t, ir.Settings{})
	always := ",x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port,x-request-id"
	for fields, want := range map[string]string{
		"X-Keep: 1": "host,x-keep",
		"Connection: X-Drop, keep-alive\r\nX-Drop: 1\r\nX-Keep: 1":                                                                          "host,x-keep",
		"Connection: x-drop\r\nConnection: X-Other\r\nX-Drop: 1\r\nX-Other: 1\r\nX-Drop: 2":                                                 "host",
		"Connection: X-Forwarded-For, X-Request-Id":                                                                                         "host",
		"Keep-Alive: 1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nProxy: y\r\nHTTP2-Settings: z\r\nProxy-Authenticate: x": "host",
		"X_Forwarded.For: 1\r\nX.Real_IP: 1\r\nTrue_Client-Ip: 1\r\nX_Custom: 1\r\nTe_: 1\r\nUser.Agent: 1":                                 "host,x_custom,te_,user.agent",
		"Forwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nTrue-Client-IP: 1":                                                                 "host,true-client-ip",
	} {
		if got := door.get(t, "/", "Host: a", fields).Header.Get("Got-Names"); got != want+always {
			t.Errorf("%q leaves %q, want %q", fields, got, want+always)
		}
	}
	for fields, want := range map[string]int{
		"Content_Length: 1": 400, "Transfer.Encoding: chunked": 400, "H.ost: a": 200, "Connection: Host": 400, "Connection: content-length": 400,
		"Connection: a b": 400, "Connection: " + strings.Repeat("a, ", 17): 400, "Expect: more": 417, "Expect: 100-Continue": 200,
		"CDN-Loop: other, sluice-0123": 508, "CDN-Loop: other": 200,
	} {
		if got := door.get(t, "/", "Host: a", fields).StatusCode; got != want {
			t.Errorf("%q is answered %d, want %d", fields, got, want)
		}
	}
}

// TestPathsThatGrow says that a path in its normal form is served, or nothing is:
// escapes make one octet three, and a buffer may be full of a body.
func TestPathsThatGrow(t *testing.T) {
	door := admits(t, ir.Settings{})
	long := strings.Repeat(`"`, mostTarget-len("/a/../b/"))
	want := "/b/" + strings.Repeat("%22", len(long))
	for _, body := range []int{0, 1 << 10, leastBuffer, 2 * leastBuffer} {
		answer := door.send(t, fmt.Sprintf("POST /a/../b/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", long, body, strings.Repeat("x", body)))
		if got := answer.Header.Get("Got-Path"); answer.StatusCode != 200 || got != want {
			t.Errorf("with a body of %d bytes: %d, a path of %d bytes, want one of %d", body, answer.StatusCode, len(got), len(want))
		}
	}
	if got := door.get(t, "/a/../b/"+strings.Repeat(`"`, leastBuffer/2)).StatusCode; got != 414 {
		t.Errorf("a path longer than any is answered %d, want 414", got)
	}
}

// TestAdmissionThatFailsLetsNothingIn says that what the script has not come to the
// end of is an error, and what it has nothing to do with is served.
func TestAdmissionThatFailsLetsNothingIn(t *testing.T) {
	door := admitsBy(t, ir.Settings{}, strings.Replace(admit, "local function check(", "local function check() error('broken') end\nlocal function unused(", 1))
	for target, want := range map[string]int{"/a/../b": 500, "/a": 200} {
		if got := door.get(t, target).StatusCode; got != want {
			t.Errorf("%q is answered %d, want %d", target, got, want)
		}
	}
}

func TestMethodsAndTargets(t *testing.T) {
	door := admits(t, ir.Settings{})
	for method, want := range map[string]int{
		"GET": 200, "PROPFIND": 200, "M-SEARCH!": 200, "TRACE": 405, "get": 400, "Get": 400, strings.Repeat("X", 33): 501, strings.Repeat("X", 32): 200,
	} {
		if got := door.send(t, method+" / HTTP/1.1\r\nHost: a\r\n\r\n").StatusCode; got != want {
			t.Errorf("%q is answered %d, want %d", method, got, want)
		}
	}
	for target, want := range map[string]string{
		"http://a/x?y": "200 /x", "http://a": "200 /", "HTTP://A/x/../y": "200 /y", "http://a/x%2fy": "400 ",
		"https://a/": "421 ", "ftp://a/": "400 ", "http://b/": "400 ", "x-y://a/": "400 ", "h2+x://a/../y": "400 ", "a1://a/": "400 ",
		"/" + strings.Repeat("a", mostTarget-1): "200 /" + strings.Repeat("a", mostTarget-1), "/" + strings.Repeat("a", mostTarget): "414 ",
		"/?" + strings.Repeat("a", mostTarget-1): "414 ", "http://a/" + strings.Repeat("a", mostTarget): "414 ",
	} {
		answer := door.get(t, target, "Host: a")
		if got := fmt.Sprintf("%d %s", answer.StatusCode, answer.Header.Get("Got-Path")); got != want {
			t.Errorf("%q is answered %q, want %q", target, got, want)
		}
	}
	if got := door.send(t, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"); got.StatusCode != 200 || got.Header.Get("Got-Path") != "" {
		t.Errorf("OPTIONS * is answered %d %q, want 200 of HAProxy's own", got.StatusCode, got.Header)
	}
}

// TestWhoAsks says what backends are told of the client.
func TestWhoAsks(t *testing.T) {
	for hops, cases := range map[int]map[string]string{
		0: {
			"": "127.0.0.1  1 http a.example 80",
			"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Forwarded-Port: 1": "127.0.0.1  1 http a.example 80",
		},
		1: {
			"":                         "127.0.0.1 127.0.0.1 1 http a.example 80",
			"X-Forwarded-For: 1.1.1.1": "1.1.1.1, 127.0.0.1 1.1.1.1 1 http a.example 80",
			"X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Forwarded-Port: 1": "1.1.1.1, 127.0.0.1 1.1.1.1 1 https b 1",
			"X-Forwarded-Proto: x\r\nX-Forwarded-Proto: https":                                                            "127.0.0.1 127.0.0.1 1 https a.example 80",
			"X-Forwarded-For: 1.1.1.1:99":  "1.1.1.1:99, 127.0.0.1 1.1.1.1 1 http a.example 80",
			"X-Forwarded-For: 2001:db8::1": "2001:db8::1, 127.0.0.1 2001:db8::1 1 http a.example 80",
			"X-Forwarded-For: nobody":      "nobody, 127.0.0.1 127.0.0.1 1 http a.example 80",
			"X-Forwarded-Host: ":           "127.0.0.1 127.0.0.1 1 http a.example 80",
		},
		2: {
			"X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2": "1.1.1.1, 2.2.2.2, 127.0.0.1 1.1.1.1 1 http a.example 80",
			"X-Forwarded-For: 2.2.2.2":                                      "2.2.2.2, 127.0.0.1 127.0.0.1 1 http a.example 80",
			"X-Forwarded-For: 1.1.1.1,, 2.2.2.2 ,":                          "1.1.1.1, 2.2.2.2, 127.0.0.1 1.1.1.1 1 http a.example 80",
		},
		3: {
			"X-Forwarded-For: 1.1.1.1, 2.2.2.2": "1.1.1.1, 2.2.2.2, 127.0.0.1 127.0.0.1 1 http a.example 80",
			"X-Forwarded-For: 9.9.9.9":          "9.9.9.9, 127.0.0.1 127.0.0.1 1 http a.example 80",
		},
	} {
		door := admits(t, ir.Settings{ClientIP: ir.ClientIP{TrustedHops: hops}})
		for fields, want := range cases {
			head := []string{"Host: a.example"}
			if fields != "" {
				head = append(head, fields)
			}
			h := door.get(t, "/", head...).Header
			got := fmt.Sprintf("%s %s %s %s %s %s", h.Get("Got-For"), h.Get("Got-Peer"), h.Get("Got-Counted"), h.Get("Got-Proto"), h.Get("Got-Forwarded-Host"), h.Get("Got-Port"))
			if got != want {
				t.Errorf("%d hops, %q: %q, want %q", hops, fields, got, want)
			}
		}
	}
}
