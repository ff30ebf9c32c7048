package h2

import (
	"strings"

	"golang.org/x/net/http2"
)

const (
	endStream  = http2.FlagHeadersEndStream
	endHeaders = http2.FlagHeadersEndHeaders
	padded     = http2.FlagDataPadded
)

// genericCases are h2spec's generic section: what must be taken.
var genericCases = []rawCase{
	{"generic 1 preface", func(p *rawPeer) {}, alive()},
	{"generic 2 idle priority", func(p *rawPeer) { p.framer.WritePriority(1, http2.PriorityParam{Weight: 255}) }, alive()},
	{"generic 2 half-closed remote window", func(p *rawPeer) { p.get(1); p.framer.WriteWindowUpdate(1, 100) }, answers("200")},
	{"generic 2 half-closed remote reset", func(p *rawPeer) { p.get(1); p.framer.WriteRSTStream(1, http2.ErrCodeCancel) }, alive()},
	{"generic 2 half-closed remote priority", func(p *rawPeer) { p.get(1); p.framer.WritePriority(1, http2.PriorityParam{Weight: 255}) }, answers("200")},
	{"generic 2 closed priority", func(p *rawPeer) {
		p.get(1)
		p.status()
		p.framer.WritePriority(1, http2.PriorityParam{Weight: 255})
	}, alive()},
	{"generic 3.1 data", func(p *rawPeer) { p.post(1); p.framer.WriteData(1, true, []byte("test")) }, answers("200")},
	{"generic 3.1 several data", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteData(1, false, []byte("test"))
		p.framer.WriteData(1, true, []byte("test"))
	}, answers("200")},
	{"generic 3.1 padded data", func(p *rawPeer) { p.post(1); p.framer.WriteDataPadded(1, true, []byte("test"), make([]byte, 200)) }, answers("200")},
	{"generic 3.2 head", func(p *rawPeer) { p.get(1) }, answers("200")},
	{"generic 3.2 padded head", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true, EndHeaders: true, PadLength: 255})
	}, answers("200")},
	{"generic 3.2 head with priority", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true, EndHeaders: true,
			Priority: http2.PriorityParam{StreamDep: 0, Exclusive: true, Weight: 15},
		})
	}, answers("200")},
	{"generic 2 closed stream by trailers", func(p *rawPeer) {
		p.post(1)
		p.head(1, true, "x-test", "ok")
		p.status()
		p.framer.WritePriority(1, http2.PriorityParam{Weight: 255})
	}, alive()},
	{"generic 3.3 least weight", func(p *rawPeer) { p.framer.WritePriority(1, http2.PriorityParam{Weight: 0}) }, alive()},
	{"generic 3.3 idle stream and a lower one", func(p *rawPeer) {
		p.framer.WritePriority(5, http2.PriorityParam{Weight: 255})
		p.get(3)
	}, answers("200")},
	{"generic 3.3 exclusive priority", func(p *rawPeer) { p.framer.WritePriority(1, http2.PriorityParam{Exclusive: true}) }, alive()},
	{"generic 3.3 priority on a stream that is not there", func(p *rawPeer) { p.framer.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }, alive()},
	{"generic 3.4 reset", func(p *rawPeer) { p.post(1); p.framer.WriteRSTStream(1, http2.ErrCodeCancel) }, alive()},
	{"generic 3.5 settings", func(p *rawPeer) { p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 20000}) }, alive()},
	{"generic 3.7 ping", func(p *rawPeer) { p.framer.WritePing(false, [8]byte{1, 2}) }, alive()},
	{"generic 3.8 goaway", func(p *rawPeer) { p.framer.WriteGoAway(0, http2.ErrCodeNo, nil) }, ends(http2.ErrCodeNo)},
	{"generic 3.9 connection window", func(p *rawPeer) { p.framer.WriteWindowUpdate(0, 1) }, alive()},
	{"generic 3.9 stream window", func(p *rawPeer) { p.post(1); p.framer.WriteWindowUpdate(1, 1); p.framer.WriteData(1, true, nil) }, answers("200")},
	{"generic 3.7 ack of a ping", func(p *rawPeer) { p.framer.WritePing(true, [8]byte{'h', '2'}) }, alive()},
	{"generic 3.10 continuation", func(p *rawPeer) { p.inPieces(1, 5) }, answers("200")},
	{"generic 3.10 continuations", func(p *rawPeer) { p.inPieces(1, 2) }, answers("200")},
	{"generic 4 get", func(p *rawPeer) { p.get(1) }, answers("200")},
	{"generic 4 post", func(p *rawPeer) {
		p.post(1, "content-length", "4")
		p.framer.WriteData(1, true, []byte("test"))
	}, answers("200")},
	{"generic 4 head method", func(p *rawPeer) {
		p.head(1, true, ":method", "HEAD", ":scheme", "http", ":path", "/", ":authority", "x")
	}, answers("200")},
	{"generic 4 post with trailers", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteData(1, false, []byte("test"))
		p.head(1, true, "x-test", "ok")
	}, answers("200")},
	{"generic 5 hpack indexed", func(p *rawPeer) { p.get(1); p.status(); p.get(3) }, answers("200")},
	{"generic 5 hpack size update", func(p *rawPeer) {
		p.enc.SetMaxDynamicTableSize(0)
		p.get(1, "x-a", "b")
	}, answers("200")},
}

// inPieces sends a head in HEADERS and CONTINUATION of n octets each.
func (p *rawPeer) inPieces(id uint32, n int) {
	block := append([]byte(nil), p.encode(append(getPseudo, "x-dummy", strings.Repeat("x", 20))...)...)
	p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:n], EndStream: true})
	for block = block[n:]; len(block) > n; block = block[n:] {
		p.framer.WriteContinuation(id, false, block[:n])
	}
	p.framer.WriteContinuation(id, true, block)
}

// frameCases are h2spec's sections 4 and 6, but for SETTINGS.
var frameCases = []rawCase{
	{"4.1 unknown type", func(p *rawPeer) { p.raw(0x16, 0, 0, "12345678") }, alive()},
	{"4.1 undefined flags", func(p *rawPeer) { p.raw(http2.FramePing, 0x16, 0, "12345678") }, alive()},
	{"4.1 reserved bit", func(p *rawPeer) { p.conn.Write([]byte("\x00\x00\x08\x06\x00\x80\x00\x00\x0012345678")) }, alive()},
	{"4.2 longest data", func(p *rawPeer) { p.post(1); p.framer.WriteData(1, true, make([]byte, 16384)) }, answers("200")},
	{"4.2 longer data", func(p *rawPeer) { p.post(1); p.raw(http2.FrameData, 1, 1, strings.Repeat("x", 16385)) }, ends(sizeErr)},
	{"4.2 longer head", func(p *rawPeer) { p.raw(http2.FrameHeaders, 5, 1, strings.Repeat("x", 16385)) }, ends(sizeErr)},
	{"4.3 invalid block", func(p *rawPeer) { p.raw(http2.FrameHeaders, 5, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") }, ends(compression)},
	{"4.3 priority inside a block", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
		p.framer.WritePriority(1, http2.PriorityParam{Weight: 1})
	}, ends(protocol)},
	{"4.3 head inside a block", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
		p.get(3)
	}, ends(protocol)},
	{"5.4.1 ping that ends the connection", func(p *rawPeer) { p.raw(http2.FramePing, 0, 3, "12345678") }, ends(protocol)},
	{"6.1 data on stream 0", func(p *rawPeer) { p.raw(http2.FrameData, 1, 0, "test") }, ends(protocol)},
	{"6.1 data on an idle stream", func(p *rawPeer) { p.framer.WriteData(1, true, []byte("test")) }, ends(protocol)},
	{"6.1 padding too long", func(p *rawPeer) { p.post(1); p.raw(http2.FrameData, padded|1, 1, "\x06test") }, ends(protocol)},
	{"6.1 padding of nothing", func(p *rawPeer) { p.post(1); p.raw(http2.FrameData, padded|1, 1, "") }, ends(protocol, sizeErr)},
	{"6.2 head without end and other stream", func(p *rawPeer) {
		p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(getPseudo...), EndStream: true})
		p.framer.WriteContinuation(3, true, nil)
	}, ends(protocol)},
	{"6.2 head on stream 0", func(p *rawPeer) { p.get(0) }, ends(protocol)},
	{"6.2 padding too long", func(p *rawPeer) { p.raw(http2.FrameHeaders, padded|5, 1, "\xffabc") }, ends(protocol)},
	{"6.3 priority on stream 0", func(p *rawPeer) { p.raw(http2.FramePriority, 0, 0, "\x80\x00\x00\x01\x0a") }, ends(protocol)},
	{"6.3 priority too short", func(p *rawPeer) { p.post(1); p.raw(http2.FramePriority, 0, 1, "\x80\x00\x00\x01") }, ends(sizeErr)},
	{"6.4 reset on stream 0", func(p *rawPeer) { p.raw(http2.FrameRSTStream, 0, 0, "\x00\x00\x00\x08") }, ends(protocol)},
	{"6.4 reset of an idle stream", func(p *rawPeer) { p.framer.WriteRSTStream(1, http2.ErrCodeCancel) }, ends(protocol)},
	{"6.4 reset too short", func(p *rawPeer) { p.post(1); p.raw(http2.FrameRSTStream, 0, 1, "\x00\x00\x00") }, ends(sizeErr)},
	{"6.6 push promise", func(p *rawPeer) {
		p.raw(http2.FramePushPromise, 4, 1, "\x00\x00\x00\x02"+string(p.encode(getPseudo...)))
	}, ends(protocol)},
	{"6.7 ping on a stream", func(p *rawPeer) { p.raw(http2.FramePing, 0, 1, "12345678") }, ends(protocol)},
	{"6.7 ping too short", func(p *rawPeer) { p.raw(http2.FramePing, 0, 0, "123456") }, ends(sizeErr)},
	{"6.7 pong unasked", func(p *rawPeer) { p.framer.WritePing(true, [8]byte{}) }, alive()},
	{"6.8 goaway on a stream", func(p *rawPeer) { p.raw(http2.FrameGoAway, 0, 1, "\x00\x00\x00\x00\x00\x00\x00\x00") }, ends(protocol)},
	{"6.9 increment 0 of the connection", func(p *rawPeer) { p.framer.WriteWindowUpdate(0, 0) }, ends(protocol)},
	{"6.9 increment 0 of a stream", func(p *rawPeer) { p.post(1); p.framer.WriteWindowUpdate(1, 0) }, resets(1, protocol)},
	{"6.9 increment 0 of an idle stream", func(p *rawPeer) { p.framer.WriteWindowUpdate(1, 0) }, ends(protocol)},
	{"6.9 increment too short", func(p *rawPeer) { p.raw(http2.FrameWindowUpdate, 0, 0, "\x00\x00\x01") }, ends(sizeErr)},
	{"6.9.1 connection window too wide", func(p *rawPeer) {
		p.framer.WriteWindowUpdate(0, mostWindow)
		p.framer.WriteWindowUpdate(0, mostWindow)
	}, ends(flow)},
	{"6.9.1 stream window too wide", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteWindowUpdate(1, mostWindow)
	}, resets(1, flow)},
	{"6.10 continuation behind the last of several", func(p *rawPeer) {
		p.inPieces(1, 20)
		p.framer.WriteContinuation(1, true, p.encode("x-a", "b"))
	}, ends(protocol, closedErr)},
	{"7 goaway with an unknown code", func(p *rawPeer) { p.framer.WriteGoAway(0, 0xff, nil) }, ends(http2.ErrCodeNo)},
	{"7 reset with an unknown code", func(p *rawPeer) { p.post(1); p.framer.WriteRSTStream(1, 0xff) }, alive()},
	{"6.10 continuation behind an end", func(p *rawPeer) { p.post(1); p.framer.WriteContinuation(1, true, p.encode("x-a", "b")) }, ends(protocol)},
	{"6.10 continuation on stream 0", func(p *rawPeer) { p.framer.WriteContinuation(0, true, nil) }, ends(protocol)},
	{"6.10 continuation behind data", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteData(1, true, []byte("test"))
		p.framer.WriteContinuation(1, true, p.encode("x-a", "b"))
	}, ends(protocol, closedErr)},
	{"6.10 continuation first", func(p *rawPeer) { p.framer.WriteContinuation(1, true, nil) }, ends(protocol)},
}

// settingCases are h2spec's sections 6.5 and 6.9.2.
var settingCases = []rawCase{
	{"6.5 ack with content", func(p *rawPeer) { p.raw(http2.FrameSettings, 1, 0, "\x00\x00\x00\x00\x00\x00") }, ends(sizeErr)},
	{"6.5 on a stream", func(p *rawPeer) { p.raw(http2.FrameSettings, 0, 1, "\x00\x03\x00\x00\x00\x64") }, ends(protocol)},
	{"6.5 length", func(p *rawPeer) { p.raw(http2.FrameSettings, 0, 0, "\x00\x03\x00") }, ends(sizeErr)},
	{"6.5.2 push of 2", func(p *rawPeer) { p.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 2}) }, ends(protocol)},
	{"6.5.2 window too wide", func(p *rawPeer) {
		p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
	}, ends(flow)},
	{"6.5.2 frame too short", func(p *rawPeer) { p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16383}) }, ends(protocol)},
	{"6.5.2 frame too long", func(p *rawPeer) { p.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 24}) }, ends(protocol)},
	{"6.5.2 unknown", func(p *rawPeer) { p.framer.WriteSettings(http2.Setting{ID: 0xff, Val: 1}) }, alive()},
	{"6.5.3 twice the same", func(p *rawPeer) {
		p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		p.get(1)
	}, answers("200")},
	{"6.9.2 window too wide by settings", func(p *rawPeer) {
		p.post(1)
		p.framer.WriteWindowUpdate(1, mostWindow-initialWindow)
		p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: initialWindow + 1})
	}, ends(flow)},
	{"8441 connect protocol of 2", func(p *rawPeer) {
		p.framer.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 2})
	}, ends(protocol)},
	{"6.5 flood", func(p *rawPeer) {
		for range 5000 {
			p.framer.WriteSettings()
		}
	}, ends(calm)},
}
