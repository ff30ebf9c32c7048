package ir

import (
	"fmt"
	"time"
)

// Secret is text that must never be seen: it prints and marshals as
// "[redacted]" everywhere. Convert it to a string only where it is used.
type Secret string

const redacted = "[redacted]"

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", for %#v.
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb: a wrong one would print the text.
func (Secret) Format(w fmt.State, _ rune) { _, _ = w.Write([]byte(redacted)) }

// MarshalText returns "[redacted]", so that no encoder writes the text.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Duration is a time.Duration that reads "1m30s" where it is written down.
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: %w", text, err)
	}
	*d = Duration(parsed)
	return nil
}
