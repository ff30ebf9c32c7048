package explain

import (
	"fmt"
	"io"
	"strings"
)

// mostMisses is how many misses the text lists; JSON has them all.
const mostMisses = 20

// Write prints an explanation for people.
func Write(w io.Writer, e *Explanation) error {
	var b strings.Builder
	r := e.Request
	port := ""
	if r.Port != 0 {
		port = fmt.Sprintf(":%d", r.Port)
	}
	fmt.Fprintf(&b, "%s %s://%s%s%s\n", r.Method, r.Scheme, r.Host, port, r.Path)
	if e.Path != "" && e.Path != r.Path {
		fmt.Fprintf(&b, "  the path is read as %s\n", e.Path)
	}
	fmt.Fprintf(&b, "  %s\n", e.Verdict)
	for i := range e.Answers {
		e.Answers[i].write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a *Answer) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nGateway %s/%s, port %d\n", a.Gateway.Namespace, a.Gateway.Name, a.Port)
	if a.Listener != nil {
		owner := ""
		if a.Listener.Owner != a.Gateway {
			owner = " of " + name(a.Listener.Owner)
		}
		fmt.Fprintf(b, "  listener  %s%s (hostname %s)\n", a.Listener.Section, owner, a.Hostname)
	}
	if a.Winner != nil {
		a.Winner.write(b)
	}
	if a.Status != 0 {
		fmt.Fprintf(b, "  answer    %d: %s\n", a.Status, a.Why)
	}
	for i, m := range a.Misses {
		if i == 0 {
			b.WriteString("  not\n")
		}
		if i == mostMisses {
			fmt.Fprintf(b, "    and %d more; -o json lists them all\n", len(a.Misses)-i)
			break
		}
		fmt.Fprintf(b, "    %s\n      %s\n", m.What, m.Why)
	}
}

func (w *Winner) write(b *strings.Builder) {
	fmt.Fprintf(b, "  route     %s (hostname %s)\n", name(w.Route), w.Hostname)
	label := ""
	if w.RuleName != "" {
		label = " (" + w.RuleName + ")"
	}
	fmt.Fprintf(b, "  rule      %d%s, match %d: %s\n", w.Rule, label, w.Match, w.Wants)
	for _, f := range w.Filters {
		fmt.Fprintf(b, "  filter    %s\n", f)
	}
	for _, backend := range w.Backends {
		backend.write(b)
	}
}

func (x Backend) write(b *strings.Builder) {
	title, protocol := x.Name, ""
	if title == "" {
		title = "(unresolved)"
	}
	if x.Protocol != "" {
		protocol = ", " + string(x.Protocol)
	}
	if x.TLS {
		protocol += " over TLS"
	}
	fmt.Fprintf(b, "  backend   %s: %.4g%%%s\n", title, x.Percent, protocol)
	for _, f := range x.Filters {
		fmt.Fprintf(b, "              filter %s\n", f)
	}
	if len(x.Endpoints) > 0 {
		fmt.Fprintf(b, "              %s\n", strings.Join(x.Endpoints, ", "))
	}
	if x.Problem != "" {
		fmt.Fprintf(b, "              %s\n", x.Problem)
	}
}
