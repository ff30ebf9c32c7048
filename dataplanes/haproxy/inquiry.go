package haproxy

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// inquiry finds out which elements of a unit HAProxy refuses. It has files read that
// are not those that run.
type inquiry struct {
	u        *unit
	unit     *ir.Unit
	verdicts *verdict.Verdicts
}

// blame turns a refusal into verdicts, and reports whether there is a new one.
func (q *inquiry) blame(ctx context.Context, no refusal) (bool, error) {
	if q.u.loses(no.said) {
		return true, nil
	}
	news := false
	for _, words := range alerts(no.said) {
		found, err := q.blameWords(ctx, no.layout, words)
		if err != nil {
			return false, err
		}
		news = news || found
	}
	if news {
		return true, nil
	}
	return q.search(ctx, q.unit.Proxy.Listeners, verdict.RulesOf(q.unit))
}

// where finds the place that words are about: "[backends/07.cfg:12]".
var where = regexp.MustCompile(`\[([^\]\s:]+):(\d+)\]`)

// blameWords refuses what words are about: a file that they name or, if they name
// none, the section.
func (q *inquiry) blameWords(ctx context.Context, l *layout, words string) (bool, error) {
	if f := l.named(words); f != nil {
		return q.refuseAll(q.made(f.Origins), words), nil
	}
	at := where.FindStringSubmatch(words)
	if at == nil {
		return false, nil
	}
	line, _ := strconv.Atoi(at[2])
	s := l.at(at[1], line)
	switch {
	case s == nil:
		return false, nil
	case s.Kind == backendKind && len(s.Origins) > 0:
		// A section is what all of them ask for alike.
		return q.refuseAll(q.made(s.Origins), words), nil
	}
	port, ok := portOf(s)
	if !ok {
		return false, nil
	}
	return q.search(ctx, listenersAt(q.unit, port), nil)
}

// named returns the file that words are about: a certificate or trust anchors. Words
// about one name the list that has it too, and lists are shared by listeners that are
// not to blame.
func (l *layout) named(words string) *translator.File {
	var found *translator.File
	for name, f := range l.files {
		if f.Kind != translator.Certificate && f.Kind != translator.Authorities || len(f.Origins) == 0 || !strings.Contains(words, name) {
			continue
		}
		// The name of one may be the beginning of another's.
		if found == nil || len(name) > len(found.Name) {
			found = f
		}
	}
	return found
}

// made returns the rules and listeners of origins.
func (q *inquiry) made(origins []ir.Origin) []any {
	from := map[ir.Origin]bool{}
	for _, origin := range origins {
		from[origin] = true
	}
	var all []any
	for _, l := range q.unit.Proxy.Listeners {
		if from[verdict.OriginOf(l)] {
			all = append(all, l)
		}
	}
	for _, rule := range verdict.RulesOf(q.unit) {
		if from[rule.Origin] {
			all = append(all, rule)
		}
	}
	return all
}

// search refuses those of the elements that HAProxy refuses.
func (q *inquiry) search(ctx context.Context, listeners []*ir.Listener, rules []*ir.Rule) (bool, error) {
	if words, err := q.test(ctx, nil); err != nil || words != "" {
		return false, err
	}
	for _, suspects := range q.u.Good.Rows(listeners, rules) {
		guilty, err := agent.Bisect(suspects, func(some []any) (string, error) { return q.test(ctx, some) })
		if err != nil {
			return false, err
		}
		news := false
		for _, g := range guilty {
			news = q.refuse(g.Suspect, g.Words, verdict.Elements(q.unit.Proxy.Listeners)...) || news
		}
		if news {
			return true, nil
		}
	}
	return false, nil
}

// test asks whether HAProxy refuses a unit of some of the elements alone, and returns
// its words; none where it does not.
func (q *inquiry) test(ctx context.Context, some []any) (string, error) {
	config := translator.Translate(q.verdicts.Apply(verdict.Only(q.unit, some)), q.u.target(), nil)
	l := newLayout(config, nil, time.Time{})
	l.process = q.u.processText()
	said, err := q.u.process.check(ctx, l.texts())
	return strings.Join(alerts(said), "; "), err
}

func (q *inquiry) refuseAll(all []any, words string) bool {
	news := false
	for _, e := range all {
		news = q.refuse(e, words) || news
	}
	return news
}

func (q *inquiry) refuse(element any, words string, because ...any) bool {
	words = objection(words)
	switch e := element.(type) {
	case *ir.Rule:
		return q.verdicts.Refuse(e, words, append(because, q.partsOfRule(e)...)...)
	case *ir.Listener:
		return q.verdicts.RefuseListener(e, words, append(because, q.certificates(e.TLS)...)...)
	default:
		return false
	}
}

// partsOfRule are what of the unit a rule is served by, beside itself: where one of
// them is replaced, the rule is tried again.
func (q *inquiry) partsOfRule(rule *ir.Rule) []any {
	var parts []any
	keys := verdict.BackendsOf(rule)
	for _, b := range q.unit.Proxy.Backends {
		if !slices.Contains(keys, b.Key) {
			continue
		}
		parts = append(parts, b)
		if b.TLS != nil && b.TLS.ClientCertificate != nil {
			parts = append(parts, q.certificate(*b.TLS.ClientCertificate)...)
		}
	}
	for _, e := range q.unit.Endpoints {
		if slices.ContainsFunc(keys, func(key ir.BackendKey) bool { return key.EndpointsKey == e.Key }) {
			parts = append(parts, e)
		}
	}
	return parts
}

func (q *inquiry) certificates(tls *ir.ListenerTLS) []any {
	var parts []any
	if tls != nil {
		for _, key := range tls.Certificates {
			parts = append(parts, q.certificate(key)...)
		}
	}
	return parts
}

func (q *inquiry) certificate(key ir.CertificateKey) []any {
	for _, c := range q.unit.Proxy.Certificates {
		if c.Key == key {
			return []any{c}
		}
	}
	return nil
}
