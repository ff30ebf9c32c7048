package kube

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

var (
	then = metav1.NewTime(time.Unix(1000, 0))
	now  = metav1.NewTime(time.Unix(2000, 0))
)

func isOurs(name gatewayv1.GatewayController) bool {
	return strings.HasPrefix(string(name), "sluice.dev/")
}

// one is an entry with one condition.
func one(controller, parent, status string) entry {
	return entry{
		ref: gatewayv1.ParentReference{Name: gatewayv1.ObjectName(parent)}, controller: gatewayv1.GatewayController(controller),
		conditions: []metav1.Condition{{Type: "Accepted", Status: metav1.ConditionStatus(status), Reason: "R", ObservedGeneration: 1}},
	}
}

// at is an entry as the server has it.
func at(e entry) entry {
	e.conditions = dated(e.conditions, nil, then)
	return e
}

func TestEdit(t *testing.T) {
	const mine, other = "sluice.dev/go", "example.com/x"
	group, kind := gatewayv1.Group(gatewayv1.GroupName), gatewayv1.Kind("Gateway")
	defaulted := at(one(mine, "a", "True"))
	defaulted.ref.Group, defaulted.ref.Kind = &group, &kind
	for name, c := range map[string]struct {
		have, want []entry
		partial    bool
		most       int
		// ops are the operations but for that of the resourceVersion.
		ops  string
		left int
	}{
		"the same":                 {have: []entry{at(one(mine, "a", "True"))}, want: []entry{one(mine, "a", "True")}},
		"the same with defaults":   {have: []entry{defaulted}, want: []entry{one(mine, "a", "True")}},
		"another status":           {have: []entry{at(one(other, "a", "True")), at(one(mine, "a", "True"))}, want: []entry{one(mine, "a", "False")}, ops: "replace 1"},
		"a parent more":            {have: []entry{at(one(other, "a", "True"))}, want: []entry{one(mine, "a", "True")}, ops: "add"},
		"nothing is wanted":        {have: []entry{at(one(mine, "a", "True")), at(one(other, "a", "True")), at(one(mine, "b", "True"))}, ops: "remove 2,remove 0"},
		"not all is known":         {have: []entry{at(one(mine, "a", "True"))}, partial: true},
		"another engine of ours":   {have: []entry{at(one("sluice.dev/envoy", "a", "True"))}, want: []entry{one(mine, "a", "True")}, ops: "remove 0,add"},
		"twice the same":           {have: []entry{at(one(mine, "a", "True")), at(one(mine, "a", "True"))}, want: []entry{one(mine, "a", "True")}, ops: "remove 1"},
		"full":                     {have: []entry{at(one(other, "a", "True")), at(one(other, "b", "True"))}, want: []entry{one(mine, "a", "True")}, most: 2, left: 1},
		"room by what goes":        {have: []entry{at(one(other, "a", "True")), at(one(mine, "b", "True"))}, want: []entry{one(mine, "a", "True")}, most: 2, ops: "remove 1,add"},
		"fuller than the CRD says": {have: []entry{at(one(other, "a", "True")), at(one(other, "b", "True"))}, want: []entry{one(mine, "a", "True")}, most: 1, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if c.most == 0 {
				c.most = 32
			}
			l := list{have: c.have, want: c.want, ours: isOurs, whole: !c.partial, most: c.most, now: now}
			e := l.edit()
			if e.left != c.left || e.empty() != (c.ops == "") {
				t.Errorf("left %d, empty %v", e.left, e.empty())
			}
			if !e.empty() {
				if got := operations(t, &e, len(c.have)); got != c.ops {
					t.Errorf("operations %q, want %q", got, c.ops)
				}
			}
		})
	}
}

// operations are those of the patch, in short.
func operations(t *testing.T, e *edit, have int) string {
	t.Helper()
	patch, err := parents.patch(e, have, "7")
	if err != nil {
		t.Fatal(err)
	}
	data, err := patch.Data(nil)
	if err != nil {
		t.Fatal(err)
	}
	var steps []operation
	if err := json.Unmarshal(data, &steps); err != nil {
		t.Fatal(err)
	}
	if steps[0].Path != "/metadata/resourceVersion" || steps[0].Value != "7" {
		t.Errorf("not bound to a resourceVersion: %s", data)
	}
	var short []string
	for _, s := range steps[1:] {
		index := strings.TrimPrefix(s.Path, "/status/parents/")
		short = append(short, strings.TrimSuffix(s.Op+" "+index, " -"))
	}
	return strings.Join(short, ",")
}

// lastTransitionTime is when a status changed, and no reason to write.
func TestDated(t *testing.T) {
	have := at(one("c", "a", "True")).conditions
	same := one("c", "a", "True").conditions
	if got := dated(same, have, now); !got[0].LastTransitionTime.Equal(&then) || !alike(got, have, false) {
		t.Errorf("unchanged: %v", got)
	}
	same[0].Message = "another"
	if got := dated(same, have, now); !got[0].LastTransitionTime.Equal(&then) || alike(got, have, false) {
		t.Errorf("another message: %v", got)
	}
	if got := dated(one("c", "a", "False").conditions, have, now); !got[0].LastTransitionTime.Equal(&now) {
		t.Errorf("another status: %v", got)
	}
	extra := append(have, metav1.Condition{Type: "Theirs"})
	if !alike(have, extra, true) || alike(have, extra, false) {
		t.Error("a condition of somebody else")
	}
}
