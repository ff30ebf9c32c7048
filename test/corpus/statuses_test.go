package corpus

import (
	"encoding/json"
	"testing"

	"github.com/sluice-gateway/sluice/operator/status"
)

// statusOf is the status of one object as a golden file shows it.
type statusOf struct {
	Object string `json:"object"`
	Status any    `json:"status"`
}

// statuses are what is written about a case's own objects while the dataplane
// runs what it was given.
func (g *golden) statuses(t *testing.T, w *world) []statusOf {
	t.Helper()
	built := status.Build(g.reports(t, w))
	var all []statusOf
	for _, e := range g.objects {
		if s := built[e.Key]; s != nil && g.own[e.Key] {
			all = append(all, statusOf{e.Key.String(), timeless(t, body(s))})
		}
	}
	return all
}

// body is what would be written under an object's status.
func body(s *status.Status) any {
	switch {
	case s.Class != nil:
		return s.Class
	case s.Gateway != nil:
		return s.Gateway
	case s.ListenerSet != nil:
		return s.ListenerSet
	case s.Route != nil:
		return s.Route
	}
	return s.Policy
}

// timeless drops the times of transitions: who writes a status sets them.
func timeless(t *testing.T, status any) any {
	t.Helper()
	text, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	dropTimes(plain)
	return plain
}

func dropTimes(value any) {
	switch v := value.(type) {
	case map[string]any:
		delete(v, "lastTransitionTime")
		for _, field := range v {
			dropTimes(field)
		}
	case []any:
		for _, item := range v {
			dropTimes(item)
		}
	}
}
