package dir

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkRead is one HTTPRoute from text to object, all checks included.
func BenchmarkRead(b *testing.B) {
	parse(catalog(), goodRoute)
	for i := 0; b.Loop(); i++ {
		docs := parse(catalog(), strings.Replace(goodRoute, "name: shop", fmt.Sprintf("name: shop-%d", i), 1))
		if len(docs) != 1 || docs[0].object == nil {
			b.Fatal(docs[0].faults)
		}
	}
}
