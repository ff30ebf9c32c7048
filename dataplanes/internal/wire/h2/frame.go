package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

const (
	frameHeader = 9
	// initialWindow and initialFrame are what holds before any SETTINGS (RFC 9113,
	// section 6.5.2).
	initialWindow = 65535
	initialFrame  = 16384
	// mostWindow bounds every window (RFC 9113, section 6.9.1).
	mostWindow = 1<<31 - 1
)

// frame is a frame's header.
type frame struct {
	length int
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

func appendFrame(dst []byte, f frame) []byte {
	dst = append(dst, byte(f.length>>16), byte(f.length>>8), byte(f.length), byte(f.kind), byte(f.flags))
	return binary.BigEndian.AppendUint32(dst, f.stream)
}

func appendSettings(dst []byte, settings []http2.Setting) []byte {
	dst = appendFrame(dst, frame{length: 6 * len(settings), kind: http2.FrameSettings})
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Val)
	}
	return dst
}

func appendSettingsAck(dst []byte) []byte {
	return appendFrame(dst, frame{kind: http2.FrameSettings, flags: http2.FlagSettingsAck})
}

func appendPing(dst []byte, data [8]byte, flags http2.Flags) []byte {
	dst = appendFrame(dst, frame{length: 8, kind: http2.FramePing, flags: flags})
	return append(dst, data[:]...)
}

func appendReset(dst []byte, stream uint32, code http2.ErrCode) []byte {
	dst = appendFrame(dst, frame{length: 4, kind: http2.FrameRSTStream, stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendGoAway(dst []byte, last uint32, code http2.ErrCode) []byte {
	dst = appendFrame(dst, frame{length: 8, kind: http2.FrameGoAway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendIncrement(dst []byte, stream uint32, n int64) []byte {
	dst = appendFrame(dst, frame{length: 4, kind: http2.FrameWindowUpdate, stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func appendData(dst []byte, stream uint32, data []byte, end bool) []byte {
	f := frame{length: len(data), kind: http2.FrameData, stream: stream}
	if end {
		f.flags = http2.FlagDataEndStream
	}
	return append(appendFrame(dst, f), data...)
}

// sealBlock makes HEADERS, and CONTINUATION where it must, of the field block
// that lies frameHeader behind at.
func sealBlock(dst []byte, at int, f frame, most int) []byte {
	block := len(dst) - at - frameHeader
	f.kind = http2.FrameHeaders
	if block <= most {
		f.length, f.flags = block, f.flags|http2.FlagHeadersEndHeaders
		appendFrame(dst[:at], f)
		return dst
	}
	rest := append([]byte(nil), dst[at+frameHeader+most:]...)
	f.length = most
	dst = appendFrame(dst[:at], f)[:at+frameHeader+most]
	for len(rest) > 0 {
		n := min(most, len(rest))
		next := frame{length: n, kind: http2.FrameContinuation, stream: f.stream}
		if n == len(rest) {
			next.flags = http2.FlagContinuationEndHeaders
		}
		dst = append(appendFrame(dst, next), rest[:n]...)
		rest = rest[n:]
	}
	return dst
}
