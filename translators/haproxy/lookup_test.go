package haproxy

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// awkward are texts that a file of rows, a command of the runtime API or a script might
// read otherwise than they are meant.
var awkward = []string{
	"", " ", "a b", " a", "a ", "\ta", "#a", "a#b", "a;b", "a&b", "a=b", "a>b", "a|b", "a%b", "%41", "%", "a*b", "+x", "?=:", "^80/*|", "~", "-", ":", "\\", `\n`, `"a"`, "'a'",
	"${HOME}", "%[path]", "a,b", "a)b", "a(b", "<<", "é", "日本", "\x7f", "\xff\xfe", "@1", "3*a,4*b", strings.Repeat("x", 4096), strings.Repeat("ü", 2048),
}

// TestAwkwardValuesAreCompared puts every text into a header's and a parameter's
// condition.
func TestAwkwardValuesAreCompared(t *testing.T) {
	r := startRig(t, 80)
	var matches []ir.Match
	for _, text := range awkward {
		matches = append(matches,
			ir.Match{Headers: []ir.ValueMatch{{Name: "x-a", Kind: ir.Exact, Value: text}}, Path: ir.PathMatch{Kind: ir.Prefix, Value: "/header"}},
			ir.Match{Query: []ir.ValueMatch{{Name: "p", Kind: ir.Exact, Value: text}}, Path: ir.PathMatch{Kind: ir.Prefix, Value: "/value"}},
			ir.Match{Query: []ir.ValueMatch{{Name: "p" + text, Kind: ir.Exact, Value: "1"}}, Path: ir.PathMatch{Kind: ir.Prefix, Value: "/name"}},
		)
	}
	r.load(t, Translate(matching(matches...), Target{}, nil))
	door := r.dial(t, 80)
	for i, text := range awkward {
		escaped := asParameter(text)
		for k, q := range []order.Request{
			{Path: "/header", Headers: []ir.Header{{Name: "X-A", Value: text}}},
			{Path: "/value", Query: escaped},
			{Path: "/name", Query: "p" + strings.TrimPrefix(escaped, "p=") + "=1"},
		} {
			// A header's value comes without the blanks around it, and none is of such octets.
			if q.Method, q.Host = "GET", "any"; k == 0 && (strings.Trim(text, " \t") != text || strings.Contains(text, "\x7f")) {
				continue
			}
			said, want := door.ask(t, q), fmt.Sprintf("|HTTPRoute/n/r/%d|", 3*i+k)
			if !strings.Contains(said, want) {
				t.Errorf("%q of kind %d is led by %q, want %s", text, k, said, want)
			}
		}
	}
}

// TestAwkwardPathsAreNoRows shows that a path that no request can have makes no row,
// which a file of rows might read otherwise.
func TestAwkwardPathsAreNoRows(t *testing.T) {
	var matches []ir.Match
	for _, text := range awkward {
		for _, kind := range []ir.MatchKind{ir.Exact, ir.Prefix, ir.Regex} {
			matches = append(matches, ir.Match{Path: ir.PathMatch{Kind: kind, Value: "/" + text}})
		}
	}
	for row := range Translate(matching(matches...), Target{}, nil).Rows() {
		if strings.ContainsAny(row.Key, " \t\r\n") || !keyed(row.Key) || !keyed(row.Value) || row.Value == "" {
			t.Errorf("the row %q %q", row.Key, row.Value)
		}
		if row.Key[0] == '#' || row.Key[0] == '@' || len(row.Key)+len(row.Value) > 12000 {
			t.Errorf("the row %q of %d octets", row.Key, len(row.Value))
		}
	}
}

// weighing is a unit with one rule and some shares.
func weighing(weights ...int) *ir.Unit {
	unit := matching(ir.Match{})
	rule := unit.Proxy.Routes[0].Rules[0]
	for i, weight := range weights {
		key := &ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: fmt.Sprintf("s%d", i), Port: 80}, Protocol: ir.BackendHTTP1}
		rule.Backends = append(rule.Backends, ir.BackendUse{Backend: key, Weight: weight})
		unit.Proxy.Backends = append(unit.Proxy.Backends, &ir.Backend{Key: *key})
	}
	return unit
}

// TestSharesAreInProportion draws often enough that a share is off by five standard
// deviations hardly ever.
func TestSharesAreInProportion(t *testing.T) {
	r := startRig(t, 80)
	door := r.dial(t, 80)
	for _, weights := range [][]int{{1, 1}, {9, 1}, {0, 1}, {1, 0, 3}, {1_000_000, 1_000_000}, {5}, {1, 2, 3, 4}} {
		unit := weighing(weights...)
		r.load(t, Translate(unit, Target{}, nil))
		const times = 2000
		counts, total := make([]int, len(weights)), 0
		for _, weight := range weights {
			total += weight
		}
		for range times {
			said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: "/"})
			for i := range weights {
				if strings.Contains(said, fmt.Sprintf("|n_s%d_80", i)) {
					counts[i]++
				}
			}
		}
		for i, weight := range weights {
			share := float64(weight) / float64(total)
			if off := math.Abs(float64(counts[i]) - share*times); off > 5*math.Sqrt(times*share*(1-share)) {
				t.Errorf("weights %v: %d of %d requests for backend %d", weights, counts[i], times, i)
			}
		}
	}
}

// TestNobodyTakesWhatHasNoWeight is about rules whose shares are all 0.
func TestNobodyTakesWhatHasNoWeight(t *testing.T) {
	r := startRig(t, 80)
	r.load(t, Translate(weighing(0, 0), Target{}, nil))
	if said := r.dial(t, 80).ask(t, order.Request{Method: "GET", Host: "any", Path: "/"}); !strings.Contains(said, "|answer_") || !strings.Contains(said, "|HTTPRoute/n/r/0|") {
		t.Errorf("it is led by %q, want an answer", said)
	}
}

// TestAnErrorOfTheScriptIsNoWrongBackend has rows hold what nobody writes.
func TestAnErrorOfTheScriptIsNoWrongBackend(t *testing.T) {
	r := startRig(t, 80)
	door := r.dial(t, 80)
	for _, value := range []string{"?", "?=", "?=:nonsense", "?=:x", "?=:h=a>b", "?=:+nobody", "?=:p~nobody>s|t|", "?/9999:m=GET>a"} {
		config := Translate(matching(ir.Match{Path: ir.PathMatch{Kind: ir.Exact, Value: "/x"}}), Target{}, nil)
		config.Blocks = append([]*Block{}, config.Blocks...)
		config.Blocks[0] = &Block{Rows: []Row{{"h80|*", "80/*|n/g/s|="}, {"80/*=/x", value}}}
		r.load(t, config)
		said := door.ask(t, order.Request{Method: "POST", Host: "any", Path: "/x"})
		if said != "n/g/s|answer_500||" && said != "n/g/s|answer_404||" {
			t.Errorf("%q is led by %q", value, said)
		}
	}
}

// TestExpressionsHaveBounds shows that an expression that is too large is refused on its
// own rule, and that one that would take too long is answered with 500.
func TestExpressionsHaveBounds(t *testing.T) {
	long, large := `(a|b)*a(a|b){400}`, `(abcdefghij){1000}`
	unit := matching(
		ir.Match{Path: ir.PathMatch{Kind: ir.Regex, Value: "/large/" + large}},
		ir.Match{Path: ir.PathMatch{Kind: ir.Regex, Value: "/long/" + long}},
		ir.Match{Path: ir.PathMatch{Kind: ir.Exact, Value: "/short"}},
	)
	config := Translate(unit, Target{}, nil)
	if len(config.Problems) != 1 || config.Problems[0].Origin.Rule != 0 || !strings.Contains(config.Problems[0].Message, "too large for HAProxy") {
		t.Errorf("the problems are %v, want one of rule 0", config.Problems)
	}
	r := startRig(t, 80)
	r.load(t, config)
	door := r.dial(t, 80)
	for path, want := range map[string]string{
		"/large/aaa":                            "|answer_500|HTTPRoute/n/r/0|",
		"/short":                                "|HTTPRoute/n/r/2|",
		"/long/a" + strings.Repeat("ab", 200):   "|HTTPRoute/n/r/1|",
		"/long/a" + strings.Repeat("b", 400):    "|HTTPRoute/n/r/1|",
		"/long/" + strings.Repeat("b", 401):     "|answer_404|",
		"/long/" + randomLetters(12000) + "ccc": "|answer_500||",
		"/long/a" + strings.Repeat("ba", 200):   "|HTTPRoute/n/r/1|",
	} {
		if said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: path}); !strings.Contains(said, want) {
			t.Errorf("%.20q is led by %q, want %q", path, said, want)
		}
	}
}

// TestRowsThatGoBetweenTwoLookUps changes rows while requests are led: each is led by
// the rows before or after, and by nothing else.
func TestRowsThatGoBetweenTwoLookUps(t *testing.T) {
	r := startRig(t, 80)
	var units []*Config
	for i := range 4 {
		hosts := [][]string{{"a.org"}, {"*.org"}, {"*"}, {"a.org", "*"}}[i]
		unit := matching(ir.Match{Headers: []ir.ValueMatch{{Name: "x-a", Kind: ir.Regex, Value: fmt.Sprintf("%d|%s", i, strings.Repeat("[0-9]{1,3}", 60))}}},
			ir.Match{Path: ir.PathMatch{Kind: ir.Exact, Value: "/x"}})
		route := unit.Proxy.Routes[0]
		route.Attachments[0].Hostnames = hosts
		route.Origin.Name = fmt.Sprintf("r%d", i)
		for _, rule := range route.Rules {
			rule.Origin.Object = route.Origin
		}
		units = append(units, Translate(unit, Target{}, nil))
	}
	r.load(t, units[0])
	stop, stopped := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.load(reports(stopped), units[i%len(units)])
			}
		}
	}()
	doors := []*asking{r.dial(t, 80), r.dial(t, 80)}
	for i := range 4000 {
		q := order.Request{Method: "GET", Host: "a.org", Path: "/x", Headers: []ir.Header{{Name: "x-a", Value: fmt.Sprint(i % 4)}}}
		said := doors[i%2].ask(t, q)
		if !strings.Contains(said, "n/g/s|answer_") || !strings.Contains(said, "|HTTPRoute/n/r") {
			t.Fatalf("it is led by %q", said)
		}
	}
	close(stop)
	if said := <-stopped; said != "" {
		t.Error(said)
	}
}

// TestRowsThatAreNotInForceAreNotSeen has rows stand beside others until they are
// committed, longer and shorter ones.
func TestRowsThatAreNotInForceAreNotSeen(t *testing.T) {
	r := startRig(t, 80)
	prefixed := func(method string, prefixes ...string) *Config {
		var matches []ir.Match
		for _, prefix := range prefixes {
			matches = append(matches, ir.Match{Path: ir.PathMatch{Kind: ir.Prefix, Value: prefix}, Method: method})
		}
		return Translate(matching(matches...), Target{}, nil)
	}
	door := r.dial(t, 80)
	for _, method := range []string{"", "GET"} {
		r.load(t, prefixed(method, "/a", "/x/y/z"))
		version := r.prepare(t)
		r.add(t, version, prefixed(method, "/x", "/x/y", "/a/b/c", "/a/b", "/a"))
		for range 2 {
			for path, want := range map[string]string{"/a/b/c/d": "|HTTPRoute/n/r/0|2", "/x/y/z": "|HTTPRoute/n/r/1|6", "/x/y": "|answer_404||"} {
				if got := door.ask(t, order.Request{Method: "GET", Host: "any", Path: path}); !strings.HasSuffix(got, want) {
					t.Errorf("%s is led by %q, want %s", path, got, want)
				}
			}
		}
		if said := r.command(t, "commit map @"+version+" "+RoutesMap); said != "" {
			t.Fatal(said)
		}
		if got := door.ask(t, order.Request{Method: "GET", Host: "any", Path: "/x/y/z"}); !strings.HasSuffix(got, "|HTTPRoute/n/r/1|4") {
			t.Errorf("then, /x/y/z is led by %q", got)
		}
	}
}

// TestWhatIsGoneIsLookedUpAgain has look-ups find what rows of before have said.
func TestWhatIsGoneIsLookedUpAgain(t *testing.T) {
	r := startRig(t, 80)
	r.load(t, Translate(matching(ir.Match{Path: ir.PathMatch{Kind: ir.Exact, Value: "/x"}}), Target{}, nil))
	door := r.dial(t, 80)
	for _, stale := range []ir.Header{
		{Name: "x-at", Value: "80/gone.org|n/g/gone|"}, {Name: "x-at", Value: "80/gone.org|n/g/gone|~"}, {Name: "x-at", Value: "|n/g/gone|"},
		{Name: "x-to", Value: "?=:+gone"}, {Name: "x-to", Value: "?=:p~gone>a|b|"}, {Name: "x-to", Value: "?/0:>^80/gone.org|"}, {Name: "x-to", Value: "?=:q~p=gone>a|b|"},
	} {
		said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: "/x", Query: "p=1", Headers: []ir.Header{stale}})
		if !strings.HasPrefix(said, "n/g/s|answer_") || !strings.HasSuffix(said, "|HTTPRoute/n/r/0|") {
			t.Errorf("after %s, it is led by %q", stale.Value, said)
		}
	}
}

// reports is told of failures from elsewhere than the test's own goroutine.
type reports chan string

func (r reports) Helper() {}

func (r reports) Fatalf(format string, args ...any) {
	select {
	case r <- fmt.Sprintf(format, args...):
	default:
	}
}

func randomLetters(n int) string {
	state, text := uint32(1), make([]byte, n)
	for i := range text {
		state = state*1664525 + 1013904223
		text[i] = 'a' + byte(state>>31)
	}
	return string(text)
}

// TestRowsAreOneFile shows that HAProxy reads the file as it takes the commands.
func TestRowsAreOneFile(t *testing.T) {
	r := startRig(t, 80)
	config := Translate(weighing(1, 2), Target{}, nil)
	r.load(t, config)
	lines := strings.Split(r.command(t, "show map "+RoutesMap), "\n")
	var want []string
	for row := range config.Rows() {
		want = append(want, row.Key+" "+row.Value)
	}
	for i, line := range lines {
		_, line, _ = strings.Cut(line, " ")
		if i >= len(want) || line != want[i] {
			t.Errorf("row %d is %q", i, line)
		}
	}
}

// TestFieldsOfTheConnectionAreNoHeaders is about matches on what the Go proxy takes off
// at its door.
func TestFieldsOfTheConnectionAreNoHeaders(t *testing.T) {
	r := startRig(t, 80)
	var matches []ir.Match
	names := []string{"upgrade", "te", "expect", "content-length", "proxy-authorization", "x-other"}
	for _, name := range names {
		matches = append(matches, ir.Match{Headers: []ir.ValueMatch{{Name: name, Kind: ir.Regex, Value: ".*"}}})
	}
	r.load(t, Translate(matching(matches...), Target{}, nil))
	door := r.dial(t, 80)
	for i, name := range names {
		said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: "/", Headers: []ir.Header{{Name: name, Value: "0"}}})
		if met := strings.HasSuffix(said, fmt.Sprintf("|HTTPRoute/n/r/%d|0", i)); met != (name == "x-other") {
			t.Errorf("with %s, it is led by %q", name, said)
		}
	}
}

// TestManyLabels has a wildcard for each number of labels, and hosts under each.
func TestManyLabels(t *testing.T) {
	unit := matching(ir.Match{})
	route := unit.Proxy.Routes[0]
	route.Attachments[0].Hostnames = nil
	name := "org"
	for range 120 {
		route.Attachments[0].Hostnames = append(route.Attachments[0].Hostnames, "*."+name)
		name = "a." + name
	}
	port := order.Ports(unit.Proxy, nil)[0]
	if counts := labels(port); len(counts) != 120 || counts[0] != 120 || counts[119] != 1 {
		t.Errorf("the numbers of labels are %v", counts)
	}
	r := startRig(t, 80)
	r.load(t, Translate(unit, Target{}, nil))
	door := r.dial(t, 80)
	for host, found := range map[string]bool{"x." + name: true, "a.org": true, "org": false, ".org": false, "x..org": true, "x.a.org": true, "xorg": false, "x.org.": false} {
		said := door.ask(t, order.Request{Method: "GET", Host: host, Path: "/"})
		if strings.HasSuffix(said, "|HTTPRoute/n/r/0|0") != found {
			t.Errorf("%s is led by %q, found: want %t", host, said, found)
		}
	}
}
