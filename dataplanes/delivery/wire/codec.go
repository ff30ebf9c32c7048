package wire

import "fmt"

// Frame is what gRPC carries: bytes that Encode has made.
type Frame []byte

// Format prints how long a frame is: it may carry private keys.
func (f Frame) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "[frame of %d bytes]", len(f)) }

// Format prints which part it is, and never what is in it.
func (p Part) Format(w fmt.State, _ rune) {
	fmt.Fprintf(w, "[%s %s of %d bytes]", p.Kind, p.Sum, len(p.Form))
}

var (
	_ fmt.Formatter = Frame{}
	_ fmt.Formatter = Part{}
)

// Codec hands frames to gRPC and back as they are. What is in them is read where
// an answer can be given.
type Codec struct{}

// Marshal returns a *Frame's bytes.
func (Codec) Marshal(v any) ([]byte, error) {
	if f, ok := v.(*Frame); ok {
		return *f, nil
	}
	return nil, fmt.Errorf("%T is no frame", v)
}

// Unmarshal copies the bytes into a *Frame.
func (Codec) Unmarshal(data []byte, v any) error {
	f, ok := v.(*Frame)
	if !ok {
		return fmt.Errorf("%T is no frame", v)
	}
	*f = append((*f)[:0], data...)
	return nil
}

// Name is the codec's, as it stands in the content type.
func (Codec) Name() string { return "sluice" }
