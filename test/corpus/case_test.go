package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// The names of tags. Any other is a mistake.
const (
	tagConformance = "conformance"
	tagFinding     = "finding"
	tagFilter      = "filter"
	tagRefusal     = "refusal"
	tagFeatures    = "features"
	tagDataplane   = "dataplane"
	tagAdmission   = "admission"
	tagDNS         = "dns"
	tagOutcome     = "outcome"
)

var tagNames = []string{tagConformance, tagFinding, tagFilter, tagRefusal, tagFeatures, tagDataplane, tagAdmission, tagDNS, tagOutcome}

// golden is one folder of the corpus.
type golden struct {
	path string
	rule string
	tags map[string][]string
	// objects are those of base.yaml and of the case, in the order of their keys.
	objects []resources.Event
	// own are the keys of the case's own objects.
	own map[resources.Key]bool
}

func (g *golden) has(tag, value string) bool { return slices.Contains(g.tags[tag], value) }

// cases reads the corpus once for all tests.
var cases = sync.OnceValues(readCorpus)

func corpus(t *testing.T) []*golden {
	t.Helper()
	all, err := cases()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readCorpus() ([]*golden, error) {
	text, err := os.ReadFile("base.yaml")
	if err != nil {
		return nil, err
	}
	base, err := admitted.read(text)
	if err != nil {
		return nil, fmt.Errorf("base.yaml: %w", err)
	}
	var all []*golden
	var bad []error
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "in.yaml" {
			return err
		}
		g, err := readCase(filepath.Dir(path), base)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", path, err))
			return nil
		}
		all = append(all, g)
		return nil
	})
	return all, errors.Join(append(bad, err)...)
}

func readCase(dir string, base []resources.Event) (*golden, error) {
	text, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
	if err != nil {
		return nil, err
	}
	g := &golden{path: filepath.ToSlash(dir), tags: map[string][]string{}, own: map[resources.Key]bool{}}
	if err := g.readHead(text); err != nil {
		return nil, err
	}
	reader := admitted
	if g.has(tagAdmission, "off") {
		reader = unchecked
	}
	own, err := reader.read(text)
	if err != nil {
		return nil, err
	}
	return g, g.gather(base, own)
}

func (g *golden) gather(base, own []resources.Event) error {
	byKey := map[resources.Key]resources.Event{}
	for _, e := range base {
		byKey[e.Key] = e
	}
	for _, e := range own {
		if g.own[e.Key] {
			return fmt.Errorf("%v is there twice", e.Key)
		}
		g.own[e.Key] = true
		byKey[e.Key] = e
	}
	for _, answer := range g.tags[tagDNS] {
		name, addresses, _ := strings.Cut(answer, "=")
		key := resources.DNSAnswerKey(name)
		byKey[key] = resources.Event{Key: key, Object: resources.NewDNSAnswer(name, strings.Fields(addresses)...)}
	}
	g.objects = slices.SortedFunc(maps.Values(byKey), func(a, b resources.Event) int { return a.Key.Compare(b.Key) })
	return nil
}

var tagLine = regexp.MustCompile(`^([a-z]+): (.+)$`)

// readHead reads the comment that a case begins with.
func (g *golden) readHead(text []byte) error {
	var rule []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, comment := strings.CutPrefix(lines.Text(), "#")
		if !comment {
			break
		}
		line = strings.TrimSpace(line)
		m := tagLine.FindStringSubmatch(line)
		if m == nil {
			rule = append(rule, line)
			continue
		}
		if !slices.Contains(tagNames, m[1]) {
			return fmt.Errorf("tag %q is none of %v", m[1], tagNames)
		}
		for value := range strings.SplitSeq(m[2], ",") {
			g.tags[m[1]] = append(g.tags[m[1]], strings.TrimSpace(value))
		}
	}
	g.rule = strings.Join(rule, " ")
	if len(g.rule) < 20 || !strings.HasSuffix(g.rule, ".") {
		return fmt.Errorf("must begin with a comment that says, in a sentence, which rule it proves; it has %q", g.rule)
	}
	return nil
}
