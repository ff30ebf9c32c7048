package audit

import (
	"strings"
	"testing"
	"time"
)

const events = `{"auditID":"1","stage":"ResponseComplete","verb":"update","user":{"username":"system:serviceaccount:sluice-system:sluice-operator"},"objectRef":{"resource":"gateways","subresource":"status","namespace":"a","name":"g","apiGroup":"gateway.networking.k8s.io","apiVersion":"v1"},"responseStatus":{"code":200},"requestObject":{"status":{}},"requestReceivedTimestamp":"2026-01-01T00:00:01.000001Z","stageTimestamp":"2026-01-01T00:00:01.5Z"}
{"auditID":"2","stage":"ResponseStarted","verb":"watch","user":{"username":"admin"},"objectRef":{"resource":"pods","apiVersion":"v1"},"requestReceivedTimestamp":"2026-01-01T00:00:02Z"}
{"auditID":"3","stage":"ResponseComplete","verb":"get","user":{"username":"admin"},"objectRef":{"resource":"gateways","namespace":"b","name":"h","apiGroup":"gateway.networking.k8s.io"},"responseStatus":{"code":404},"requestReceivedTimestamp":"2026-01-01T00:00:03Z"}

{"auditID":"4","stage":"ResponseComplete","verb":"get","user":{"username":"system:anonymous"},"requestURI":"/readyz","requestReceivedTimestamp":"2026-01-01T00:00:04Z"}
{"auditID":"5","stage":"ResponseComplete","verb":"create","user":{"username":"admin"},"objectRef":{"resource":"pods","namespace":"a","name":"p"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-01-01T00:00:05Z"}
`

func ids(t *testing.T, log string, f Filter) string {
	t.Helper()
	var got []string
	for e, err := range Read(strings.NewReader(log), f) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.AuditID)
	}
	return strings.Join(got, " ")
}

func TestFilters(t *testing.T) {
	for name, c := range map[string]struct {
		filter Filter
		want   string
	}{
		"all that is over":          {Filter{}, "1 3 4 5"},
		"verbs":                     {Filter{Verbs: Writes}, "1 5"},
		"a resource":                {Filter{Resources: []string{"gateways"}}, "3"},
		"its status":                {Filter{Resources: []string{"gateways/status"}}, "1"},
		"the core group":            {Filter{Groups: []string{"core"}, Resources: []string{"pods"}}, "5"},
		"a group":                   {Filter{Groups: []string{"gateway.networking.k8s.io"}}, "1 3"},
		"a user":                    {Filter{Users: []string{"system:serviceaccount:sluice-system:sluice-operator"}}, "1"},
		"a namespace":               {Filter{Namespace: "a"}, "1 5"},
		"a name":                    {Filter{Name: "h"}, "3"},
		"since, to the microsecond": {Filter{Since: time.Date(2026, 1, 1, 0, 0, 1, 2000, time.UTC)}, "3 4 5"},
		"since, the moment itself":  {Filter{Since: time.Date(2026, 1, 1, 0, 0, 1, 1000, time.UTC)}, "1 3 4 5"},
		"another stage":             {Filter{Stage: "ResponseStarted"}, "2"},
		"nothing":                   {Filter{Verbs: []string{"get"}, Namespace: "a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ids(t, events, c.filter); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFieldsThatTestsAskFor(t *testing.T) {
	for e, err := range Read(strings.NewReader(events), Filter{Verbs: []string{"update"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.ResponseStatus.Code != 200 || string(e.RequestObject) != `{"status":{}}` || e.Done.Sub(e.Received) != 499999*time.Microsecond {
			t.Errorf("got %+v", e)
		}
	}
}

// Wherever the API server has got to with the last line, the ones before it are
// read, and nothing else.
func TestALineThatIsBeingWrittenIsLeftOut(t *testing.T) {
	last := strings.LastIndex(strings.TrimSuffix(events, "\n"), "\n") + 1
	for cut := last; cut < len(events); cut++ {
		if got := ids(t, events[:cut], Filter{}); got != "1 3 4" {
			t.Fatalf("cut at %d of %d: got %q", cut, len(events), got)
		}
	}
}

func TestALongLineIsRead(t *testing.T) {
	long := `{"auditID":"1","stage":"ResponseComplete","requestURI":"/` + strings.Repeat("x", 1<<20) + `"}` + "\n"
	if got := ids(t, long+strings.ReplaceAll(long, `"1"`, `"2"`), Filter{}); got != "1 2" {
		t.Errorf("got %q", got)
	}
}

func TestAWholeLineThatIsNoEventIsAnError(t *testing.T) {
	for _, line := range []string{"{\n", "nonsense\n", `{"verb":1}` + "\n", "\x00\n"} {
		var problem error
		for _, err := range Read(strings.NewReader(events+line), Filter{}) {
			problem = err
		}
		if problem == nil || !strings.Contains(problem.Error(), "audit log, line 7") {
			t.Errorf("%q: got %v, want an error that names line 7", line, problem)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(events)
	f.Fuzz(func(t *testing.T, log string) {
		n := 0
		for _, err := range Read(strings.NewReader(log), Filter{}) {
			if n++; err != nil {
				break
			}
		}
		if lines := strings.Count(log, "\n"); n > lines {
			t.Errorf("%d events of %d whole lines", n, lines)
		}
	})
}
