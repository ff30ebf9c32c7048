package exchange

import "unsafe"

// Words is where texts are kept that are made for one exchange, such as the
// value of a field that the proxy adds: they cost no allocation each, and become
// invalid with the strings of the request. The zero value is ready; of a nil
// *Words, each text is a string of its own.
type Words struct{ kept []byte }

// leastWords is the room for a usual exchange.
const leastWords = 256

// Keep returns a text as a string.
func (w *Words) Keep(text []byte) string {
	if w == nil || len(text) == 0 {
		return string(text)
	}
	if cap(w.kept)-len(w.kept) < len(text) {
		// What was kept before stays where it is, for the strings over it.
		w.kept = make([]byte, 0, max(leastWords, 2*cap(w.kept), len(text)))
	}
	at := len(w.kept)
	w.kept = append(w.kept, text...)
	return unsafe.String(&w.kept[at], len(text))
}

// mostWords is how much room is held for the next exchange.
const mostWords = 4 << 10

// Reset forgets all texts.
func (w *Words) Reset() {
	if cap(w.kept) > mostWords {
		w.kept = nil
	}
	w.kept = w.kept[:0]
}
