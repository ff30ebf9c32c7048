package haproxy

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// busy is for how long HAProxy has had a processor.
func (r *rig) busy(b *testing.B) time.Duration {
	b.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		b.Skip(err)
	}
	// What is in parentheses may hold blanks. utime and stime are the 14th and 15th.
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// BenchmarkLookup is what leading a request costs HAProxy, in microseconds of a
// processor: the whole request, answered at once. "nothing" is no row at all, which
// the script then looks for again.
func BenchmarkLookup(b *testing.B) {
	const routes = 1000
	path := func(kind ir.MatchKind, value string) ir.Match {
		return ir.Match{Path: ir.PathMatch{Kind: kind, Value: value}}
	}
	var prefixes, headers, expressions []ir.Match
	for i := range routes {
		prefixes = append(prefixes, path(ir.Prefix, fmt.Sprintf("/team-%d/service-%d", i/100, i)))
		with := path(ir.Prefix, "/")
		with.Headers = []ir.ValueMatch{{Name: "x-tenant", Kind: ir.Exact, Value: fmt.Sprintf("tenant-%d", i)}}
		headers = append(headers, with)
		expressions = append(expressions, path(ir.Regex, fmt.Sprintf("/team-%d/service-%d/[0-9]+", i/100, i)))
	}
	get := func(path string) order.Request { return order.Request{Method: "GET", Host: "any", Path: path} }
	tenant := func(i int) order.Request {
		q := get("/")
		q.Headers = []ir.Header{{Name: "X-Tenant", Value: fmt.Sprintf("tenant-%d", i)}}
		return q
	}
	method := path(ir.Prefix, "/")
	method.Method = "GET"
	for _, c := range []struct {
		name    string
		unit    *ir.Unit
		request order.Request
	}{
		{"one-route", matching(path(ir.Prefix, "/")), get("/team-0/service-0/x")},
		{"first-prefix-of-1000", matching(prefixes...), get("/team-0/service-0/x")},
		{"last-prefix-of-1000", matching(prefixes...), get("/team-9/service-999/x")},
		{"method", matching(method), get("/")},
		{"first-header-of-1000", matching(headers...), tenant(0)},
		{"last-header-of-1000", matching(headers...), tenant(routes - 1)},
		{"one-expression", matching(expressions[0]), get("/team-0/service-0/123")},
		{"first-expression-of-1000", matching(expressions...), get("/team-0/service-0/123")},
		{"last-expression-of-1000", matching(expressions...), get("/team-9/service-999/123")},
		{"shares", weighing(1, 2), get("/")},
		{"nothing", &ir.Unit{Proxy: &ir.Proxy{}}, get("/")},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := startRig(b, 80)
			r.load(b, Translate(c.unit, Target{}, nil))
			door := r.dial(b, 80)
			const batch = 50
			requests := strings.Repeat(spelled(c.request), batch)
			before := r.busy(b)
			for i := 0; i < b.N; i += batch {
				if _, err := io.WriteString(door.connection, requests); err != nil {
					b.Fatal(err)
				}
				for range batch {
					if said := door.answer(b); i == 0 && c.name != "nothing" && !strings.Contains(said, "|HTTPRoute/n/r/") {
						b.Fatalf("it is led by %q", said)
					}
				}
			}
			b.ReportMetric(float64((r.busy(b)-before).Microseconds())/float64(b.N), "haproxy-cpu-us/op")
		})
	}
}
