package kube

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func condition(name, status, reason string) metav1.Condition {
	return metav1.Condition{Type: name, Status: metav1.ConditionStatus(status), Reason: reason, ObservedGeneration: 2}
}

func told(c metav1.Condition, routes int32, addresses ...string) *whole {
	w := &whole{
		conditions: []metav1.Condition{condition("Accepted", "True", "Accepted"), c},
		listeners:  []gatewayv1.ListenerStatus{{Name: "http", AttachedRoutes: routes, Conditions: []metav1.Condition{c}}},
	}
	for _, a := range addresses {
		w.addresses = append(w.addresses, gatewayv1.GatewayStatusAddress{Value: a})
	}
	return w
}

// What is not known yet leaves what the server was told before.
func TestHold(t *testing.T) {
	yes, pending := condition(programmed, "True", "Programmed"), condition(programmed, "False", "Pending")
	unknown, invalid := condition(programmed, "Unknown", "Pending"), condition(programmed, "False", "Invalid")
	for name, c := range map[string]struct {
		have, want metav1.Condition
		hold       bool
		expect     string
	}{
		"known":                    {yes, pending, false, "False/Pending"},
		"not known":                {yes, pending, true, "True/Programmed"},
		"not known, and never was": {unknown, pending, true, "False/Pending"},
		"known to be wrong":        {yes, invalid, true, "False/Invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			have := told(c.have, 1, "192.0.2.1")
			have.conditions = dated(have.conditions, nil, then)
			got := told(c.want, 1).over(have, c.hold, now)
			for _, list := range [][]metav1.Condition{got.conditions, got.listeners[0].Conditions} {
				if p := find(list, programmed); string(p.Status)+"/"+p.Reason != c.expect {
					t.Errorf("Programmed=%s/%s", p.Status, p.Reason)
				}
			}
			if (len(got.addresses) == 1) != c.hold {
				t.Errorf("addresses %v", got.addresses)
			}
			if !find(got.conditions, "Accepted").LastTransitionTime.Equal(&then) {
				t.Error("Accepted has not changed, and has another time")
			}
		})
	}
	if fresh := told(pending, 0).over(&whole{}, true, now); find(fresh.conditions, programmed).Reason != "Pending" {
		t.Error("a new Gateway is not told to be pending")
	}
}

func TestAgainst(t *testing.T) {
	yes, no := condition(programmed, "True", "Programmed"), condition(programmed, "False", "Pending")
	more := told(yes, 1)
	more.listeners = append(more.listeners, gatewayv1.ListenerStatus{Name: "other"})
	sets := told(yes, 1)
	one := int32(1)
	sets.attached = &one
	for name, c := range map[string]struct {
		want, have *whole
		far        change
	}{
		"the same":              {told(yes, 1), told(yes, 1), none},
		"a route more":          {told(yes, 2), told(yes, 1), counts},
		"a ListenerSet more":    {sets, told(yes, 1), counts},
		"a condition":           {told(yes, 2), told(no, 1), news},
		"an address":            {told(yes, 1, "192.0.2.1"), told(yes, 1), news},
		"a listener more":       {more, told(yes, 1), news},
		"a listener that stays": {told(yes, 1), more, news},
		"nothing was there":     {told(yes, 0), &whole{}, news},
	} {
		if got := c.want.against(c.have); got != c.far {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !told(yes, 1).seenBy(1) || told(yes, 1).seenBy(2) {
		t.Error("a later generation is not seen")
	}
}
