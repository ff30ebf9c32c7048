package parity

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/operator/findings"
)

// fingerprint is what two dataplanes must have in common about one request: a line
// for each thing that a client or a backend can tell.
type fingerprint []string

// own are fields that a proxy makes anew for each answer or request, and those by
// which the suite knows its own.
var own = map[string]bool{
	"Date": true, "X-Request-Id": true, "X-Parity-Id": true, "Cdn-Loop": true,
	// How a body is framed is each proxy's choice, and so are the words of its own
	// answers.
	"Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Keep-Alive": true,
}

// fingerprint describes an answer.
func (a *answer) fingerprint() fingerprint {
	switch {
	case a.err != nil:
		return fingerprint{"no answer"}
	case a.isGRPC:
		return append(fingerprint{fmt.Sprintf("grpc-status %d", a.grpcStatus)}, a.seenLines()...)
	case a.seen == nil:
		return append(fingerprint{fmt.Sprintf("status %d", a.status)}, fieldLines("answer", without(a.header, "Content-Type"))...)
	default:
		lines := append(fingerprint{fmt.Sprintf("status %d", a.status)}, a.seenLines()...)
		return append(append(lines, fieldLines("answer", a.header)...), fieldLines("trailer", a.trailer)...)
	}
}

func (a *answer) seenLines() []string {
	if a.seen == nil {
		return nil
	}
	s := a.seen
	lines := []string{
		"backend " + s.Backend, "method " + s.Method, "path " + s.Path, "host " + s.Host,
		fmt.Sprintf("body %q", s.Body),
	}
	return append(lines, fieldLines("backend's", s.Headers)...)
}

func without(header http.Header, name string) http.Header {
	rest := header.Clone()
	rest.Del(name)
	return rest
}

func fieldLines(of string, header map[string][]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !own[http.CanonicalHeaderKey(name)] {
			lines = append(lines, fmt.Sprintf("%s %s: %q", of, http.CanonicalHeaderKey(name), joined(header[name])))
		}
	}
	return lines
}

// statuses describe every condition of a proxy's objects, but for its words.
func (p *Proxy) statuses() fingerprint {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines fingerprint
	for i := range p.snapshot.Units {
		for _, r := range p.snapshot.Units[i].Reports() {
			if r.Object.Kind == "GatewayClass" {
				continue
			}
			for j := range r.Subjects {
				for _, c := range findings.Derive(&r.Subjects[j], r.Generation) {
					lines = append(lines, fmt.Sprintf("%s %s %s=%s %s", r.Object, r.Subjects[j].Section, c.Type, c.Status, c.Reason))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// settled reports whether each object's status is of what the directory holds, and
// in force.
func (p *Proxy) settled(objects []object) (bool, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := map[string]bool{}
	for i := range p.snapshot.Units {
		u := &p.snapshot.Units[i]
		if u.Version != "" && (u.Outcome == nil || u.Outcome.Version != u.Version) {
			return false, "version " + u.Version + " is not in force"
		}
		for _, r := range u.Reports() {
			if r.Generation == p.generations[r.Object] {
				fresh[r.Object.String()] = true
			}
		}
	}
	problems := p.problemText()
	for _, o := range objects {
		if judged(o) && !fresh[o.id()] && !strings.Contains(problems, o.id()) {
			return false, o.id() + " has no status"
		}
	}
	return true, ""
}

// judged reports whether an object has a status.
func judged(o object) bool { return o.kind() == "Gateway" || strings.HasSuffix(o.kind(), "Route") }

// differences are the lines that one has and another has not.
func differences(name string, a fingerprint, other string, b fingerprint) string {
	var out strings.Builder
	for _, line := range a {
		if !slices.Contains(b, line) {
			fmt.Fprintf(&out, "  %-8s %s\n", name, line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			fmt.Fprintf(&out, "  %-8s %s\n", other, line)
		}
	}
	return out.String()
}

// joined are a field's values as one: several lines and one with commas say the same
// (RFC 9110, section 5.3).
func joined(values []string) string {
	return strings.ReplaceAll(strings.Join(values, ","), ", ", ",")
}
