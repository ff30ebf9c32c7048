package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendLine appends an entry as encoding/json writes it, and the end of its
// line. A line is written for each request, so it must cost no allocation.
func appendLine(b []byte, e *Entry) []byte {
	b = append(b, `{"time":"`...)
	b = append(e.Time.AppendFormat(b, time.RFC3339Nano), '"')
	b = appendText(b, `,"client":`, e.Client)
	b = appendText(b, `,"method":`, e.Method)
	b = appendText(b, `,"host":`, e.Host)
	b = appendText(b, `,"path":`, e.Path)
	b = appendText(b, `,"protocol":`, e.Protocol)
	b = appendNumber(b, `,"status":`, int64(e.Status))
	b = appendNumber(b, `,"bytes":`, e.Bytes)
	if e.BytesIn != 0 {
		b = appendNumber(b, `,"bytes_in":`, e.BytesIn)
	}
	b = appendNumber(b, `,"duration_ms":`, e.Millis)
	b = appendGiven(b, `,"listener":`, e.Listener)
	b = appendGiven(b, `,"route":`, e.Route)
	if e.Rule != nil {
		b = appendNumber(b, `,"rule":`, int64(*e.Rule))
	}
	b = appendGiven(b, `,"backend":`, e.Backend)
	b = appendGiven(b, `,"endpoint":`, e.Endpoint)
	if e.Tries != 0 {
		b = appendNumber(b, `,"tries":`, int64(e.Tries))
	}
	b = appendGiven(b, `,"request_id":`, e.RequestID)
	b = appendGiven(b, `,"user_agent":`, e.UserAgent)
	b = appendGiven(b, `,"flags":`, e.Flags)
	return append(b, "}\n"...)
}

func appendNumber(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

func appendGiven(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(b, name, text)
}

func appendText(b []byte, name, text string) []byte {
	b = append(append(b, name...), '"')
	for text != "" {
		n := plainLength(text)
		b, text = append(b, text[:n]...), text[n:]
		if text != "" {
			var size int
			b, size = appendEscaped(b, text)
			text = text[size:]
		}
	}
	return append(b, '"')
}

// plainLength is how much of a text stands for itself.
func plainLength(text string) int {
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return i
		}
	}
	return len(text)
}

// appendEscaped writes the first character of a text, and returns its length.
func appendEscaped(b []byte, text string) ([]byte, int) {
	r, size := utf8.DecodeRuneInString(text)
	if short, ok := shortEscape(r); ok {
		return append(b, '\\', short), size
	}
	plain := r >= utf8.RuneSelf && r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1)
	if plain {
		return append(b, text[:size]...), size
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]), size
}

func shortEscape(r rune) (byte, bool) {
	switch r {
	case '"', '\\':
		return byte(r), true
	case '\b':
		return 'b', true
	case '\f':
		return 'f', true
	case '\n':
		return 'n', true
	case '\r':
		return 'r', true
	case '\t':
		return 't', true
	default:
		return 0, false
	}
}
