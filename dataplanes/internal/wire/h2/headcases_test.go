package h2

import (
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streamCases are h2spec's sections 5.1 to 5.5.
var streamCases = []rawCase{
	{"5.1 window on an idle stream", func(p *rawPeer) { p.framer.WriteWindowUpdate(1, 100) }, ends(protocol)},
	{"5.1 data half-closed", func(p *rawPeer) { p.hang(1); p.framer.WriteData(1, true, []byte("test")) }, resets(1, closedErr)},
	{"5.1 head half-closed", func(p *rawPeer) { p.hang(1); p.get(1) }, resets(1, closedErr)},
	{"5.1 continuation half-closed", func(p *rawPeer) { p.hang(1); p.framer.WriteContinuation(1, true, nil) }, ends(protocol, closedErr)},
	{"5.1 data behind a reset", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
		p.framer.WriteData(1, true, []byte("test"))
	}, resets(1, closedErr)},
	{"5.1 continuation on an idle stream", func(p *rawPeer) { p.framer.WriteContinuation(1, true, p.encode(getPseudo...)) }, ends(protocol)},
	{"5.1 data on an idle stream", func(p *rawPeer) { p.framer.WriteData(1, true, []byte("test")) }, ends(protocol)},
	{"5.1 reset of an idle stream", func(p *rawPeer) { p.framer.WriteRSTStream(1, http2.ErrCodeCancel) }, ends(protocol)},
	{"5.1 continuation behind a reset", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
		p.framer.WriteContinuation(1, true, p.encode("x-a", "b"))
	}, ends(protocol, closedErr)},
	{"5.1 head behind a reset", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteRSTStream(1, http2.ErrCodeCancel)
		p.get(1)
	}, resets(1, closedErr)},
	{"5.1 data behind the end", func(p *rawPeer) { p.get(1); p.status(); p.framer.WriteData(1, true, []byte("test")) }, resets(1, closedErr)},
	{"5.1 head behind the end", func(p *rawPeer) { p.get(1); p.status(); p.get(1) }, ends(closedErr)},
	{"5.1 continuation behind the end", func(p *rawPeer) { p.get(1); p.status(); p.framer.WriteContinuation(1, true, nil) }, ends(protocol, closedErr)},
	{"5.1 window behind the end", func(p *rawPeer) { p.get(1); p.status(); p.framer.WriteWindowUpdate(1, 1) }, alive()},
	{"5.1 reset behind the end", func(p *rawPeer) { p.get(1); p.status(); p.framer.WriteRSTStream(1, http2.ErrCodeCancel) }, alive()},
	{"5.1.1 even stream", func(p *rawPeer) { p.get(2) }, ends(protocol)},
	{"5.1.1 lower stream", func(p *rawPeer) { p.get(5); p.status(); p.get(3) }, ends(protocol)},
	{"5.1.2 too many streams", func(p *rawPeer) {
		for id := uint32(1); id <= 2*128+1; id += 2 {
			p.post(id)
		}
	}, resets(257, refusedErr, protocol)},
	{"5.3.1 head depends on itself", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true, EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 1, Weight: 1},
		})
	}, resets(1, protocol)},
	{"5.3.1 priority depends on itself", func(p *rawPeer) { p.framer.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }, resets(1, protocol)},
	{"5.5 unknown inside a block", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
		p.raw(0xff, 0, 0, "x")
	}, ends(protocol)},
	{"flood of resets", func(p *rawPeer) {
		for id := uint32(1); id < 2000; id += 2 {
			p.hang(id)
			p.framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
	}, ends(calm)},
	{"flood of pings", func(p *rawPeer) {
		for range 5000 {
			p.framer.WritePing(true, [8]byte{})
		}
	}, ends(calm)},
	{"flood of priorities", func(p *rawPeer) {
		for range 5000 {
			p.framer.WritePriority(1, http2.PriorityParam{Weight: 1})
		}
	}, ends(calm)},
	{"flood of windows", func(p *rawPeer) {
		for range 5000 {
			p.framer.WriteWindowUpdate(0, 1)
		}
	}, ends(calm)},
	{"flood of unknown frames", func(p *rawPeer) {
		for range 5000 {
			p.raw(0xab, 0, 0, "")
		}
	}, ends(calm)},
	{"flood of empty data", func(p *rawPeer) {
		p.post(1)
		for range 5000 {
			p.framer.WriteData(1, false, nil)
		}
	}, ends(calm)},
	{"flood of malformed heads", func(p *rawPeer) {
		for id := uint32(1); id < 4000; id += 2 {
			p.head(id, true, ":method", "GET")
		}
	}, ends(calm)},
	{"flood of continuations", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
		for range 5000 {
			p.framer.WriteContinuation(1, false, nil)
		}
	}, ends(calm)},
	{"long continuations", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
		field := "\x00\x01a\x7f\x81\x7e" + strings.Repeat("x", 16382) // One literal that goes on.
		for range 6 {
			p.raw(http2.FrameContinuation, 0, 1, field[:16000])
		}
	}, ends(calm)},
}

// hang begins a request that ends with its head, for a handler that waits.
func (p *rawPeer) hang(id uint32) { p.get(id, "x-hang", "1") }

// with is a GET whose fields are changed.
func with(more ...string) func(p *rawPeer) {
	return func(p *rawPeer) { p.get(1, more...) }
}

func only(pairs ...string) func(p *rawPeer) {
	return func(p *rawPeer) { p.head(1, true, pairs...) }
}

// headCases are h2spec's section 8.1.2, and what else a head can do wrong.
var headCases = []rawCase{
	{"8.1.2 upper case", with("X-TEST", "ok"), resets(1, protocol)},
	{"8.1.2 space in a name", with("x test", "ok"), resets(1, protocol)},
	{"8.1.2 empty name", with("", "ok"), resets(1, protocol)},
	{"8.1.2 colon in a name", with("x:test", "ok"), resets(1, protocol)},
	{"8.1.2 line feed in a value", with("x-test", "a\nb"), resets(1, protocol)},
	{"8.1.2 carriage return in a value", with("x-test", "a\rb"), resets(1, protocol)},
	{"8.1.2 zero in a value", with("x-test", "a\x00b"), resets(1, protocol)},
	{"8.1.2 space before a value", with("x-test", " a"), resets(1, protocol)},
	{"8.1.2 tab behind a value", with("x-test", "a\t"), resets(1, protocol)},
	{"8.1.2.1 unknown pseudo", with2(":test", "ok"), resets(1, protocol)},
	{"8.1.2.1 response pseudo", with2(":status", "200"), resets(1, protocol)},
	{"8.1.2.1 pseudo behind a field", only(":method", "GET", ":scheme", "http", ":path", "/", "x-test", "ok", ":authority", "x"), resets(1, protocol)},
	{"8.1.2.1 pseudo in trailers", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteData(1, false, []byte("test"))
		p.head(1, true, ":method", "200")
	}, resets(1, protocol)},
	{"8.1.2.2 connection", with("connection", "keep-alive"), resets(1, protocol)},
	{"8.1.2.2 keep-alive", with("keep-alive", "1"), resets(1, protocol)},
	{"8.1.2.2 proxy-connection", with("proxy-connection", "close"), resets(1, protocol)},
	{"8.1.2.2 upgrade", with("upgrade", "websocket"), resets(1, protocol)},
	{"8.1.2.2 transfer-encoding", with("transfer-encoding", "chunked"), resets(1, protocol)},
	{"8.1.2.2 te", with("te", "trailers, deflate"), resets(1, protocol)},
	{"8.1.2.2 te trailers", with("te", "trailers"), answers("200")},
	{"8.1.2.3 no method", only(":scheme", "http", ":path", "/", ":authority", "x"), resets(1, protocol)},
	{"8.1.2.3 no scheme", only(":method", "GET", ":path", "/", ":authority", "x"), resets(1, protocol)},
	{"8.1.2.3 no path", only(":method", "GET", ":scheme", "http", ":authority", "x"), resets(1, protocol)},
	{"8.1.2.3 empty path", only(":method", "GET", ":scheme", "http", ":path", "", ":authority", "x"), resets(1, protocol)},
	{"8.1.2.3 method twice", with2(":method", "POST"), resets(1, protocol)},
	{"8.1.2.3 scheme twice", with2(":scheme", "http"), resets(1, protocol)},
	{"8.1.2.3 path twice", with2(":path", "/"), resets(1, protocol)},
	{"8.1.2.3 authority twice", with2(":authority", "x.example"), resets(1, protocol)},
	{"8.3.1 host alone", only(":method", "GET", ":scheme", "http", ":path", "/", "host", "x.example"), answers("200")},
	{"8.3.1 host agrees", with("host", "x.example"), answers("200")},
	{"8.3.1 host disagrees", with("host", "y.example"), resets(1, protocol)},
	{"8.3.1 two hosts", with("host", "x.example", "host", "x.example"), resets(1, protocol)},
	{"8.3.1 no host", only(":method", "GET", ":scheme", "http", ":path", "/"), answers("400")},
	{"8.3.1 userinfo", only(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a@x"), answers("400")},
	{"8.3.1 scheme", only(":method", "GET", ":scheme", "ftp", ":path", "/", ":authority", "x"), answers("400")},
	{"8.3.1 star", only(":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "x"), answers("200")},
	{"8.3.1 star for get", only(":method", "GET", ":scheme", "http", ":path", "*", ":authority", "x"), answers("400")},
	{"8.3.1 relative path", only(":method", "GET", ":scheme", "http", ":path", "a", ":authority", "x"), answers("400")},
	{"8.3.1 space in path", only(":method", "GET", ":scheme", "http", ":path", "/a b", ":authority", "x"), answers("400")},
	{"8.3.1 space in query", only(":method", "GET", ":scheme", "http", ":path", "/?a b HTTP/1.1", ":authority", "x"), answers("400")},
	{"8.3.1 fragment", only(":method", "GET", ":scheme", "http", ":path", "/#a", ":authority", "x"), answers("400")},
	{"8.3.1 encoded slash", only(":method", "GET", ":scheme", "http", ":path", "/a%2fb", ":authority", "x"), answers("400")},
	{"8.3.1 line feed in path", only(":method", "GET", ":scheme", "http", ":path", "/a\nb", ":authority", "x"), resets(1, protocol)},
	{"8.3.1 lower case method", only(":method", "get", ":scheme", "http", ":path", "/", ":authority", "x"), answers("400")},
	{"8.3.1 space in method", only(":method", "GET /", ":scheme", "http", ":path", "/", ":authority", "x"), answers("400")},
	{"8.5 connect", only(":method", "CONNECT", ":authority", "x:80"), answers("405")},
	{"8.5 connect without port", only(":method", "CONNECT", ":authority", "x"), answers("400")},
	{"9.3.8 trace", only(":method", "TRACE", ":scheme", "http", ":path", "/", ":authority", "x"), answers("405")},
	{"8.5 connect with a path", only(":method", "CONNECT", ":path", "/", ":authority", "x:80"), resets(1, protocol)},
	{"8.5 connect with a scheme", only(":method", "CONNECT", ":scheme", "http", ":authority", "x:80"), resets(1, protocol)},
	{"8.5 connect without authority", only(":method", "CONNECT"), resets(1, protocol)},
	{"8441 other protocol", only(":method", "CONNECT", ":protocol", "tcp", ":scheme", "http", ":path", "/", ":authority", "x"), answers("501")},
	{"8441 protocol without connect", with2(":protocol", "websocket"), resets(1, protocol)},
	{"8441 without path", only(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "x"), resets(1, protocol)},
	{"limits long head", with("x-long", strings.Repeat("x", 40000)), answers("431")},
	{"limits many fields", func(p *rawPeer) {
		var more []string
		for range 120 {
			more = append(more, "x-a", "b")
		}
		p.get(1, more...)
	}, answers("431")},
	{"limits a cookie in many pieces", func(p *rawPeer) { p.get(1, crumbs(400)...) }, answers("200")},
	{"limits a cookie in too many pieces", func(p *rawPeer) { p.get(1, crumbs(1100)...) }, answers("431")},
	{"limits many fields in trailers", func(p *rawPeer) {
		var more []string
		for range 120 {
			more = append(more, "x-a", "b")
		}
		p.post(1)
		p.head(1, true, more...)
	}, resets(1, protocol)},
	{"limits long name", with(strings.Repeat("x", 300), "a"), answers("431")},
	{"limits long target", only(":method", "GET", ":scheme", "http", ":path", "/"+strings.Repeat("x", 9000), ":authority", "x"), answers("414")},
	{"expect other", with("expect", "200-ok"), answers("417")},
	{"lookalike length", with("content_length", "5"), answers("400")},
	{"lookalike forwarded", with("x_forwarded_for", "1.2.3.4"), answers("200")},
}

// crumbs is a cookie in n pieces.
func crumbs(n int) (fields []string) {
	for range n {
		fields = append(fields, "cookie", "a=b")
	}
	return fields
}

// with2 puts a pseudo-header field behind the others.
func with2(name, value string) func(p *rawPeer) {
	return func(p *rawPeer) { p.head(1, true, append(getPseudo[:8:8], name, value)...) }
}

// bodyCases are h2spec's section 8.1.2.6 and 8.1.
var bodyCases = []rawCase{
	{"8.1 head without end behind content", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteData(1, false, []byte("test"))
		p.head(1, false, "x-test", "ok")
	}, resets(1, protocol)},
	{"8.1 upper case in trailers", func(p *rawPeer) { p.post(1); p.head(1, true, "X-Test", "ok") }, resets(1, protocol)},
	{"8.1 length in trailers", func(p *rawPeer) { p.post(1); p.head(1, true, "content-length", "0") }, resets(1, protocol)},
	{"8.1.2.6 length with one data", func(p *rawPeer) {
		p.post(1, "content-length", "1")
		p.framer.WriteData(1, true, []byte("test"))
	}, resets(1, protocol)},
	{"8.1.2.6 length with several data", func(p *rawPeer) {
		p.post(1, "content-length", "1")
		p.framer.WriteData(1, false, []byte("t"))
		p.framer.WriteData(1, true, []byte("est"))
	}, resets(1, protocol)},
	{"8.1.2.6 content too short", func(p *rawPeer) {
		p.post(1, "content-length", "9")
		p.framer.WriteData(1, true, []byte("test"))
	}, resets(1, protocol)},
	{"8.1.2.6 length without content", func(p *rawPeer) { p.get(1, "content-length", "9") }, resets(1, protocol)},
	{"8.1.2.6 trailers too early", func(p *rawPeer) {
		p.post(1, "content-length", "9")
		p.head(1, true, "x-test", "ok")
	}, resets(1, protocol)},
	{"8.1.2.6 length", func(p *rawPeer) {
		p.post(1, "content-length", "4")
		p.framer.WriteData(1, true, []byte("test"))
	}, answers("200")},
	{"8.1.2.6 two lengths", with("content-length", "0", "content-length", "0"), resets(1, protocol)},
	{"8.1.2.6 signed length", with("content-length", "+0"), resets(1, protocol)},
	{"8.1.2.6 list of lengths", with("content-length", "0, 0"), resets(1, protocol)},
	{"8.1.2.6 length 0", with("content-length", "0"), answers("200")},
	{"8.1.2.6 empty end", func(p *rawPeer) {
		p.post(1, "content-length", "4")
		p.framer.WriteData(1, false, []byte("test"))
		p.framer.WriteData(1, true, nil)
	}, answers("200")},
}

// huffman is a string in Huffman's code.
func huffman(s string) string {
	b := hpack.AppendHuffmanString([]byte{0x80 | byte(hpack.HuffmanEncodeLength(s))}, s)
	return string(b)
}

// block sends a field block as it is.
func block(b string) func(p *rawPeer) {
	return func(p *rawPeer) { p.raw(http2.FrameHeaders, endStream|endHeaders, 1, b) }
}

const indexed = "\x82\x86\x84\x01\x01x" // GET, http, "/", and an authority without indexing.

// hpackCases are h2spec's hpack section (RFC 7541).
var hpackCases = []rawCase{
	{"hpack 2.3.3 index too high", block(indexed + "\xc6"), ends(compression)},
	{"hpack 2.3.3 index 0", block(indexed + "\x80"), ends(compression)},
	{"hpack 4.2 size update at the end", block(indexed + "\x20"), ends(compression)},
	{"hpack 4.2 size update in the middle", block("\x82\x20\x86\x84\x01\x01x"), ends(compression)},
	{"hpack 4.2 size updates first", block("\x20\x3f\xe1\x1f" + indexed), answers("200")},
	{"hpack 5.2 padding longer than 7 bits", block(indexed + "\x00\x85\xf2\xb2\x4a\x87\xff\x81\xff"), ends(compression)},
	{"hpack 5.2 padding of zeros", block(indexed + "\x00\x85\xf2\xb2\x4a\x87\xfb\x82\x50\xff"), ends(compression)},
	{"hpack 5.2 end of string", block(indexed + "\x00\x88\xf2\xb2\x4a\x87\xff\xff\xff\xff\xfd"), ends(compression)},
	{"hpack 6.1 cut off", block(indexed + "\xff"), ends(compression)},
	{"hpack 6.2 name index too high", block(indexed + "\x7e\x01a"), ends(compression)},
	{"hpack 6.2 cut off", block(indexed + "\x40\x05ab"), ends(compression)},
	{"hpack 6.3 size update too large", block("\x3f\xff\xff\x03" + indexed), ends(compression)},
	{"hpack integer too long", block("\x3f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), ends(compression)},
	{"hpack literal", block(indexed), answers("200")},
	{"generic 5 indexed field", block(indexed + "\x90"), answers("200")},
	{"generic 5 kept, name in the table", block(indexed + "\x58\x05v-abc"), answers("200")},
	{"generic 5 kept, name in the table, huffman", block(indexed + "\x58" + huffman("v-abc")), answers("200")},
	{"generic 5 kept, new name", block(indexed + "\x40\x03x-a\x01b"), answers("200")},
	{"generic 5 kept, new name, huffman", block(indexed + "\x40" + huffman("x-a") + huffman("bcd")), answers("200")},
	{"generic 5 kept and used", block(indexed + "\x40\x03x-a\x01b\xbe"), answers("200")},
	{"generic 5 not kept, name in the table", block(indexed + "\x0f\x09\x05v-abc"), answers("200")},
	{"generic 5 not kept, name in the table, huffman", block(indexed + "\x0f\x09" + huffman("v-abc")), answers("200")},
	{"generic 5 not kept, new name", block(indexed + "\x00\x03x-a\x01b"), answers("200")},
	{"generic 5 not kept, new name, huffman", block(indexed + "\x00" + huffman("x-a") + huffman("bcd")), answers("200")},
	{"generic 5 never kept, name in the table", block(indexed + "\x1f\x09\x05v-abc"), answers("200")},
	{"generic 5 never kept, name in the table, huffman", block(indexed + "\x1f\x09" + huffman("v-abc")), answers("200")},
	{"generic 5 never kept, new name, huffman", block(indexed + "\x10" + huffman("x-a") + huffman("bcd")), answers("200")},
	{"generic 5 size update", block("\x20" + indexed), answers("200")},
	{"generic 5 upper case by huffman", block(indexed + "\x00" + huffman("X-A") + "\x01b"), resets(1, protocol)},
	{"hpack never indexed", block(indexed + "\x10\x01a\x01b"), answers("200")},
}
