package findings_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/operator/findings"
)

var subjects = []findings.SubjectKind{
	findings.GatewayClass, findings.Gateway, findings.Listener, findings.ListenerSet,
	findings.ListenerEntry, findings.Route, findings.Policy,
}

func find(conditions []metav1.Condition, name string) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == name {
			return &conditions[i]
		}
	}
	return nil
}

func TestHealthyFormIsPositive(t *testing.T) {
	for _, kind := range subjects {
		conditions := findings.Derive(&findings.Subject{Kind: kind}, 7)
		if find(conditions, "Accepted") == nil {
			t.Errorf("%s has no Accepted", kind)
		}
		for _, c := range conditions {
			if (c.Status == metav1.ConditionTrue) == (c.Type == "Conflicted") || c.ObservedGeneration != 7 || c.Reason == "" || c.Message == "" {
				t.Errorf("%s starts with %+v", kind, c)
			}
		}
	}
}

// Each line of the table does what it says to each of its subjects, alone.
func TestEveryCodeTurnsItsConditions(t *testing.T) {
	seen := map[findings.Code]bool{}
	for _, row := range findings.Table() {
		if seen[row.Code] {
			t.Errorf("%s has two lines", row.Code)
		}
		seen[row.Code] = true
		if len(row.Subjects) == 0 || len(row.Effects) == 0 {
			t.Errorf("%s does nothing", row.Code)
		}
		for _, kind := range row.Subjects {
			conditions := findings.Derive(&findings.Subject{Kind: kind, Findings: []findings.Finding{{Code: row.Code, Message: "why"}}}, 1)
			for _, e := range row.Effects {
				c := find(conditions, e.Condition)
				if kind == findings.GatewayClass && e.Condition == "Programmed" {
					if c != nil {
						t.Errorf("%s: a class has no condition Programmed, and gets %+v", row.Code, c)
					}
					continue
				}
				if c == nil || c.Status != e.Status || c.Reason != e.Reason || c.Message != "why" {
					t.Errorf("%s on %s: %s is %+v", row.Code, kind, e.Condition, c)
				}
			}
			if len(conditions) > 8 {
				t.Errorf("%s on %s: %d conditions, and the CRDs take 8", row.Code, kind, len(conditions))
			}
		}
	}
}

func TestWorstFindingWins(t *testing.T) {
	subject := &findings.Subject{Kind: findings.Route, Findings: []findings.Finding{
		{Code: findings.BackendNotFound, Message: "one is missing"},
		{Code: findings.BackendRefDenied, Message: "one is denied"},
		{Code: findings.BackendNotFound, Message: "two is missing"},
		{Code: findings.BackendRefDenied, Message: "two is denied"},
		{Code: findings.BackendRefDenied, Message: "two is denied"},
	}}
	for _, name := range []string{"in order", "in reverse"} {
		c := find(findings.Derive(subject, 1), "ResolvedRefs")
		if c.Reason != "RefNotPermitted" || strings.Count(c.Message, "denied") != 2 || strings.Contains(c.Message, "missing") {
			t.Errorf("%s: %+v", name, c)
		}
		f := subject.Findings
		f[0], f[4], f[1], f[3] = f[4], f[0], f[3], f[1]
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	subject := &findings.Subject{Kind: findings.Route}
	for i := range 100 {
		subject.Findings = append(subject.Findings, findings.Finding{
			Code: findings.BackendNotFound, Message: strings.Repeat("ä", 5000) + string(rune('a'+i%26)) + strings.Repeat("b", i),
		})
	}
	c := find(findings.Derive(subject, 1), "ResolvedRefs")
	if len(c.Message) > 32768 || !strings.HasPrefix(c.Message, "ä") {
		t.Errorf("a message of %d bytes", len(c.Message))
	}
	subject.Findings = nil
	for i := range 12 {
		subject.Findings = append(subject.Findings, findings.Finding{Code: findings.BackendNotFound, Message: strings.Repeat("m", i+1)})
	}
	if c := find(findings.Derive(subject, 1), "ResolvedRefs"); !strings.HasSuffix(c.Message, "; and 4 more") {
		t.Errorf("twelve facts read %q", c.Message)
	}
}

func TestTurns(t *testing.T) {
	found := []findings.Finding{{Code: findings.SomeListenersInvalid}}
	if findings.Turns(found, "Accepted", metav1.ConditionFalse) || !findings.Turns(found, "Accepted", metav1.ConditionTrue) {
		t.Error("SomeListenersInvalid leaves a Gateway accepted")
	}
}
