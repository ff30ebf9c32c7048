package haproxy

import (
	"slices"
	"testing"
)

func TestMoreEndpointsThanDescriptorsDoNotKeepHAProxyFromStarting(t *testing.T) {
	for descriptors, want := range map[uint64][]string{
		0: nil, 10: {"no strict-limits", "maxconn 1"}, 20200: {"no strict-limits", "maxconn 10000"},
	} {
		if got := bounded(descriptors); !slices.Equal(got, want) {
			t.Errorf("%d descriptors: %q, want %q", descriptors, got, want)
		}
	}
}
