package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Where the judge, net/http, and this package differ, and mean to:
//
//   - One empty line before a request-line is read over (RFC 9112, section 2.2):
//     the judge does that in its server alone.
//   - All else is stricter here: bare LF, obs-fold, empty lines, lists and repeats
//     of lengths, a second Host or none, versions other than 1.0 and 1.1, methods
//     in lower case, octets above ASCII in targets, fragments, a Host that
//     disagrees with the target or is no host, expectations, trailers that frame,
//     route or authenticate, a coding in HTTP/1.0, statuses above 599.
const mostFuzzed = 32 << 10

// verdict is what the judge has read.
type verdict struct {
	header, trailer http.Header
	body, rest      string
}

func judgeRequest(raw string) (*http.Request, *verdict, error) {
	r := bufio.NewReader(strings.NewReader(strings.TrimPrefix(raw, "\r\n")))
	q, err := http.ReadRequest(r)
	if err != nil {
		return nil, nil, err
	}
	v := &verdict{header: q.Header}
	err = v.read(q.Body, r)
	v.trailer = q.Trailer
	return q, v, err
}

func (v *verdict) read(body io.Reader, r io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	rest, err := io.ReadAll(r)
	v.body, v.rest = string(b), string(rest)
	return err
}

// compare holds what both have accepted against each other.
func (v *verdict) compare(t *testing.T, m *message, header exchange.Header) {
	t.Helper()
	if v.body != m.body {
		t.Errorf("body %q, the judge has %q", m.body, v.body)
	}
	if v.rest != m.rest {
		t.Errorf("what follows is %q, the judge has %q", m.rest, v.rest)
	}
	compareFields(t, header, v.header, nominated(v.header))
	if m.trailer != nil || len(v.trailer) > 0 {
		compareFields(t, m.trailer, v.trailer, nil)
	}
}

func nominated(h http.Header) []string {
	names := []string{}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return names
}

func compareFields(t *testing.T, ours exchange.Header, judge http.Header, gone []string) {
	t.Helper()
	read := http.Header{}
	for _, f := range ours {
		read.Add(f.Name, f.Value)
	}
	for name, values := range judge {
		drop, _ := judgeLookalike(name)
		odd := strings.ContainsAny(name, "_.")
		inTrailer := gone == nil && field.Lookalike(name) != field.Plain
		if field.KindOf(name) != field.Plain || slices.Contains(gone, name) || odd && drop || inTrailer || values == nil {
			if len(read[name]) > 0 {
				t.Errorf("field %s was handed on", name)
			}
			continue
		}
		if !slices.Equal(read[name], values) {
			t.Errorf("field %s is %q, the judge has %q", name, read[name], values)
		}
	}
	for name := range read {
		if judge[name] == nil {
			t.Errorf("field %s is not there for the judge", name)
		}
	}
}

func compareTarget(t *testing.T, q *exchange.Request, judge *http.Request) {
	t.Helper()
	if q.Method != judge.Method || q.Authority != judge.Host {
		t.Errorf("%s %s, the judge has %s %s", q.Method, q.Authority, judge.Method, judge.Host)
	}
	if judge.Method == "CONNECT" || q.Path == "*" {
		return
	}
	path, err := requestpath.Normalise(rawPath(judge))
	if err != nil || path != q.Path {
		t.Errorf("path %q, the judge has %q (%v)", q.Path, path, err)
	}
	if q.Query != judge.URL.RawQuery || q.HasQuery != (judge.URL.ForceQuery || judge.URL.RawQuery != "") {
		t.Errorf("query %q, the judge has %q", q.Query, judge.URL.RawQuery)
	}
}

func rawPath(judge *http.Request) string {
	if judge.URL.RawPath != "" {
		return judge.URL.RawPath
	}
	return (&url.URL{Path: judge.URL.Path}).EscapedPath()
}

func FuzzRequest(f *testing.F) {
	for _, c := range requestCases {
		if len(c.raw) < 2000 {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > mostFuzzed {
			return
		}
		m, err := readRequest(raw, inOne)
		piecewise, err2 := readRequest(raw, oneByOne)
		if (err == nil) != (err2 == nil) || err == nil && describe(m, nil) != describe(piecewise, nil) {
			t.Fatalf("in one piece: %s\noctet by octet: %s", describe(m, err), describe(piecewise, err2))
		}
		if err != nil {
			return
		}
		judge, v, err := judgeRequest(raw)
		if err != nil {
			t.Fatalf("%s\nis refused by the judge: %v", describe(m, nil), err)
		}
		m.head.Request.Header.Del("Te")
		compareTarget(t, &m.head.Request, judge)
		v.compare(t, m, m.head.Request.Header)
		writeAgain(t, m)
	})
}

// writeAgain holds that what is written of a request is read as that request.
func writeAgain(t *testing.T, m *message) {
	t.Helper()
	q := m.head.Request
	if q.Method == "CONNECT" || q.Path == "*" || q.Upgrade != "" {
		return
	}
	// Normalising may lengthen a path, and writing a head.
	if len(q.Path)+len("?")+len(q.Query) > testLimits.TargetBytes || len(q.Header) > testLimits.Fields-3 {
		return
	}
	q.Length = int64(len(m.body))
	raw, err := AppendRequest(nil, &q)
	if err != nil {
		t.Fatalf("%s\ncannot be written: %v", describe(m, nil), err)
	}
	again, err := readRequest(string(raw)+m.body, inOne)
	if err != nil {
		t.Fatalf("%q\nis refused: %v", raw, err)
	}
	o := again.head.Request
	if o.Method != q.Method || o.Authority != q.Authority || o.Path != q.Path || o.Query != q.Query ||
		again.body != m.body || again.rest != "" || !slices.Equal(o.Header, q.Header) {
		t.Fatalf("%s\nis read again as\n%s", describe(m, nil), describe(again, nil))
	}
}

func FuzzResponse(f *testing.F) {
	for _, c := range responseCases {
		if len(c.raw) < 2000 {
			f.Add(c.raw, c.method == "HEAD")
		}
	}
	f.Fuzz(func(t *testing.T, raw string, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		if len(raw) > mostFuzzed {
			return
		}
		m, err := readResponse(raw, method, inOne)
		piecewise, err2 := readResponse(raw, method, oneByOne)
		if (err == nil) != (err2 == nil) || err == nil && describeAnswer(m, nil) != describeAnswer(piecewise, nil) {
			t.Fatalf("in one piece: %s\noctet by octet: %s", describeAnswer(m, err), describeAnswer(piecewise, err2))
		}
		if err != nil {
			return
		}
		compareResponse(t, m, raw, method)
	})
}

func compareResponse(t *testing.T, m *message, raw, method string) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(raw))
	judge, err := http.ReadResponse(r, &http.Request{Method: method})
	v := &verdict{}
	if err == nil {
		v.header = judge.Header
		if judge.StatusCode == 101 {
			judge.Body = http.NoBody
		}
		err = v.read(judge.Body, r)
		v.trailer = judge.Trailer
	}
	if err != nil {
		t.Fatalf("%s\nis refused by the judge: %v", describeAnswer(m, nil), err)
	}
	if judge.StatusCode != m.answer.Response.Status {
		t.Errorf("status %d, the judge has %d", m.answer.Response.Status, judge.StatusCode)
	}
	v.compare(t, m, m.answer.Response.Header)
}

// FuzzChunks reads a chunked body in pieces of any size, through buffers of any
// size, and holds it against one reading of the whole, and against the judge.
func FuzzChunks(f *testing.F) {
	f.Add("2\r\nhi\r\n0\r\n\r\n", []byte{1, 2, 3})
	for _, c := range requestCases {
		if _, body, ok := strings.Cut(c.raw, "chunked\r\n\r\n"); ok && len(body) < 2000 {
			f.Add(body, []byte{3, 1, 200})
		}
	}
	f.Fuzz(func(t *testing.T, raw string, sizes []byte) {
		if len(raw) > mostFuzzed {
			return
		}
		whole, errWhole := readChunks(raw, nil)
		pieces, errPieces := readChunks(raw, sizes)
		if whole != pieces || (errWhole == nil) != (errPieces == nil) {
			t.Fatalf("in one piece %q (%v), in pieces %q (%v)", whole, errWhole, pieces, errPieces)
		}
		judged, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(raw)))
		if errWhole == nil && (err != nil || string(judged) != whole) {
			t.Fatalf("%q, the judge has %q (%v)", whole, judged, err)
		}
	})
}

// inSizes hands out pieces as large as sizes say, over and over.
type inSizes struct {
	r     io.Reader
	sizes []byte
	next  int
}

func (s *inSizes) size() int {
	if len(s.sizes) == 0 {
		return 4096
	}
	s.next++
	return 1 + int(s.sizes[s.next%len(s.sizes)])
}

func (s *inSizes) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.size())]) }

func readChunks(raw string, sizes []byte) (string, error) {
	in := &inSizes{r: strings.NewReader(raw), sizes: sizes}
	c := &content{}
	c.reset(contentInput{stream: &stream{from: in}, framing: Chunked, length: -1, limits: &defaultLimits, request: true})
	var out bytes.Buffer
	for {
		p := make([]byte, in.size())
		n, err := c.readInto(p)
		out.Write(p[:n])
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
	}
}
