package h1

import (
	"testing"
)

func TestRequests(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range requestCases {
		if seen[c.name] {
			t.Errorf("two cases are named %q", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			if got := describe(readRequest(c.raw, inOne)); got != c.want {
				t.Errorf("in one piece:\n got %s\nwant %s", got, c.want)
			}
			if got := describe(readRequest(c.raw, oneByOne)); got != c.want {
				t.Errorf("octet by octet:\n got %s\nwant %s", got, c.want)
			}
		})
	}
	if len(requestCases) < 150 {
		t.Errorf("%d cases", len(requestCases))
	}
}

func TestResponses(t *testing.T) {
	for _, c := range responseCases {
		t.Run(c.name, func(t *testing.T) {
			if got := describeAnswer(readResponse(c.raw, c.method, inOne)); got != c.want {
				t.Errorf("in one piece:\n got %s\nwant %s", got, c.want)
			}
			if got := describeAnswer(readResponse(c.raw, c.method, oneByOne)); got != c.want {
				t.Errorf("octet by octet:\n got %s\nwant %s", got, c.want)
			}
		})
	}
}
