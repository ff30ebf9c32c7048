package said

import "testing"

// TestWhatIsNoUTF8IsTheSameBytes is Envoy's own way to write such texts.
func TestWhatIsNoUTF8IsTheSameBytes(t *testing.T) {
	v, rest, ok := Value(`"a\u0022}\u00ff\u00fe\u0009<\u005c",1`)
	if !ok || v != "a\"}\xff\xfe\t<\\" || rest != ",1" {
		t.Fatalf("have %q, %q, %v", v, rest, ok)
	}
}
