package upstream

import (
	"testing"
	"unsafe"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// The names of announced trailers outlive the buffer that they were read into.
func TestTrailerNamesShareNothing(t *testing.T) {
	buffer := []byte("X-Sum")
	announced := exchange.Header{{Name: unsafe.String(&buffer[0], len(buffer))}}
	names := trailerNames(&announced)
	copy(buffer, "XXXXX")
	for name := range names {
		if name != "X-Sum" {
			t.Errorf("the announced trailer became %q", name)
		}
	}
}
