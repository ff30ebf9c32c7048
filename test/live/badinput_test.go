package live

import (
	"context"
	"embed"
	"errors"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/bad
var badFiles embed.FS

// TestBadObjects puts one bad object after the other beside good ones that
// serve, and leaves them all there. Each must say what is wrong with it, in the
// words that its file lists ("# says:"), and no request to the good ones may
// fail. In the end the good ones still take an edit, and are still well.
func TestBadObjects(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	p := start(t, map[string]string{"base.yaml": base, "route.yaml": edited(0), "layer4.yaml": layer4(t)})
	p.waitServing(ctx, t, host)
	clients := allClients(p, host)
	streams := openStreams(p)
	halt := sendAll(ctx, clients)
	began := time.Now()
	bad := badObjects(t)
	for _, b := range bad {
		from := p.out.len()
		// The name sorts behind those of the good files, so that what is defined
		// twice is theirs in the next run too.
		p.write(t, "zz-"+b.name+".yaml", b.content)
		poll(ctx, t, b.name+" to say\n  "+strings.Join(b.says, "\n  "), func() string { return p.out.since(from) }, func() bool {
			return containsAll(spaces.ReplaceAllString(p.out.since(from), " "), b.says)
		})
	}
	p.write(t, "route.yaml", edited(1))
	poll(ctx, t, "an edit of the good route", func() string { return counts(clients) }, func() bool {
		return allSaw(clients, 1) || anyFailed(clients)
	})
	halt()
	streams.finish(t, time.Since(began))
	t.Logf("%d bad objects\n%s", len(bad), counts(clients))
	noneFailed(t, clients)
	goodOnesAreWell(ctx, t, p)
}

var spaces = regexp.MustCompile(`\s+`)

type badObject struct {
	name    string
	content string
	says    []string
}

func badObjects(t *testing.T) []badObject {
	t.Helper()
	entries, err := badFiles.ReadDir("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	var all []badObject
	for _, e := range entries {
		content, err := badFiles.ReadFile(path.Join("testdata/bad", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b := badObject{name: strings.TrimSuffix(e.Name(), ".yaml"), content: string(content)}
		for line := range strings.Lines(b.content) {
			if said, ok := strings.CutPrefix(line, "# says: "); ok {
				b.says = append(b.says, strings.TrimSpace(said))
			}
		}
		if len(b.says) == 0 {
			t.Fatalf("%s: no line begins with \"# says: \"", e.Name())
		}
		all = append(all, b)
	}
	return all
}

// goodOnesAreWell checks the directory as a git hook would: it is not well as a
// whole, and the good objects are.
func goodOnesAreWell(ctx context.Context, t *testing.T, p *program) {
	t.Helper()
	out, err := exec.CommandContext(ctx, sluice, "run", p.dir, "--once", "--no-color").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("sluice run --once over bad objects: %v; want exit code 1", err)
	}
	text := spaces.ReplaceAllString(string(out), " ")
	for _, good := range []string{"✓ Gateway default/live ", "✓ HTTPRoute default/live ", "✓ GRPCRoute default/talk "} {
		if !strings.Contains(text, good) {
			t.Errorf("%q is not in what --once says:\n%s", good, out)
		}
	}
}
