package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// mark is how an object fares.
type mark int

// The marks, from good to bad.
const (
	good mark = iota
	waiting
	warned
	bad
)

// row is one object as it is shown.
type row struct {
	key  resources.Key
	mark mark
	// generation makes an edit that changes no condition seen, too.
	generation int64
	// about is what there is to say of a healthy object.
	about string
	// troubles are the conditions that are not as they should be.
	troubles []trouble
}

type trouble struct {
	// subject is the listener or the parent; empty for the object.
	subject   string
	condition string
	reason    string
	message   string
	places    []string
	mark      mark
	// listener is true where the subject is a listener.
	listener bool
	// summary is true where the trouble is that of the listeners.
	summary bool
}

// board is everything that is shown.
type board struct {
	rows []row
	try  []string
}

func (b *board) healthy() bool {
	return !slices.ContainsFunc(b.rows, func(r row) bool { return r.mark == bad })
}

// settled reports whether nothing waits for an answer. What is wrong beside it
// needs none.
func (b *board) settled() bool {
	return !slices.ContainsFunc(b.rows, func(r row) bool {
		return slices.ContainsFunc(r.troubles, func(t trouble) bool { return t.mark == waiting && !explained(t, r.troubles) })
	})
}

// builder gathers the reports of all units by object.
type builder struct {
	locate func(resources.Key, string) string
	rows   map[resources.Key]*row
	about  map[resources.Key][]string
}

// newBoard makes a board of all that is known. With served false nothing runs,
// and whether anything is programmed is not asked.
func newBoard(s engine.Snapshot, served bool, locate func(resources.Key, string) string) *board {
	b := &builder{locate: locate, rows: map[resources.Key]*row{}, about: map[resources.Key][]string{}}
	for _, r := range s.Classes {
		b.add(r)
		b.about[r.Object] = []string{string(r.Controller)}
	}
	for i := range s.Units {
		b.unit(&s.Units[i], served)
	}
	for _, u := range s.Unclaimed {
		r := b.row(u.Object)
		r.mark = bad
		r.troubles = []trouble{{condition: "Accepted", reason: "Waiting", message: u.Why, mark: bad, places: b.places(u.Object, u.Field)}}
	}
	made := &board{}
	for key, r := range b.rows {
		r.about = strings.Join(b.about[key], ", ")
		made.rows = append(made.rows, *r)
	}
	slices.SortFunc(made.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(kindRank(a.key.Kind), kindRank(b.key.Kind)), a.key.Compare(b.key))
	})
	for i := range s.Units {
		if served {
			made.try = append(made.try, addressesToTry(&s.Units[i])...)
		}
	}
	return made
}

func kindRank(k resources.Kind) int {
	order := []resources.Kind{resources.GatewayClass, resources.Gateway, resources.ListenerSet, resources.HTTPRoute, resources.GRPCRoute}
	if i := slices.Index(order, k); i >= 0 {
		return i
	}
	return len(order)
}

func (b *builder) unit(u *engine.Unit, served bool) {
	reports := u.Output.Reports
	if served {
		reports = u.Reports()
	}
	for _, r := range reports {
		b.add(r)
	}
	key := resources.Key{Kind: resources.Kind(u.Owner.Kind), Namespace: u.Owner.Namespace, Name: u.Owner.Name}
	b.about[key] = append(b.about[key], listening(u)...)
}

func (b *builder) row(key resources.Key) *row {
	if b.rows[key] == nil {
		b.rows[key] = &row{key: key}
	}
	return b.rows[key]
}

func (b *builder) add(r *findings.Report) {
	row := b.row(r.Object)
	row.generation = r.Generation
	for i := range r.Subjects {
		s := &r.Subjects[i]
		for _, c := range findings.Derive(s, r.Generation) {
			if m := judge(c); m != good {
				row.mark = max(row.mark, m)
				row.troubles = append(row.troubles, b.trouble(r.Object, s, c, m))
			}
		}
		b.remark(r, s)
	}
}

// remark says what a healthy route or policy is attached to.
func (b *builder) remark(r *findings.Report, s *findings.Subject) {
	if s.Parent == nil {
		return
	}
	text := "to " + parentName(r.Object.Namespace, s)
	if !slices.Contains(b.about[r.Object], text) {
		b.about[r.Object] = append(b.about[r.Object], text)
	}
}

func parentName(namespace string, s *findings.Subject) string {
	name := string(s.Parent.Name)
	if s.Parent.Namespace != nil && string(*s.Parent.Namespace) != namespace {
		name = string(*s.Parent.Namespace) + "/" + name
	}
	if s.Parent.SectionName != nil {
		name += "#" + string(*s.Parent.SectionName)
	}
	if s.Parent.Port != nil {
		name += fmt.Sprintf(":%d", *s.Parent.Port)
	}
	return name
}

// negative conditions are bad when they are true; the last two are warnings.
var negative = map[string]mark{
	"Conflicted": bad, "PartiallyInvalid": bad,
	"OverlappingTLSConfig": warned, "InsecureFrontendValidationMode": warned,
}

func judge(c metav1.Condition) mark {
	if m, ok := negative[c.Type]; ok {
		if c.Status == metav1.ConditionTrue {
			return m
		}
		return good
	}
	switch {
	case c.Status == metav1.ConditionTrue:
		return good
	case c.Reason == "Pending":
		return waiting
	default:
		return bad
	}
}

func (b *builder) trouble(key resources.Key, s *findings.Subject, c metav1.Condition, m mark) trouble {
	t := trouble{condition: c.Type, reason: c.Reason, message: c.Message, mark: m}
	switch {
	case s.Section != "":
		t.subject, t.listener = "listener "+string(s.Section), true
	case s.Parent != nil:
		t.subject = "at " + parentName(key.Namespace, s)
	}
	causes := 0
	for _, f := range s.Findings {
		if !strings.Contains(c.Message, f.Message) {
			continue
		}
		causes++
		t.summary = slices.Contains(summaries, f.Code) && (t.summary || causes == 1)
		if f.Field != "" {
			t.places = append(t.places, b.places(key, f.Field)...)
		}
	}
	slices.Sort(t.places)
	t.places = slices.Compact(t.places)
	return t
}

func (b *builder) places(key resources.Key, field string) []string {
	if b.locate == nil {
		return nil
	}
	if at := b.locate(key, field); at != "" {
		return []string{at}
	}
	return nil
}
