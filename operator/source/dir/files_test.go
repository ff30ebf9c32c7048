package dir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// look reads a directory into a source, twice where removals are to count.
func look(t *testing.T, s *Source) string {
	t.Helper()
	l, err := list(s.opts.Root)
	if err != nil {
		t.Fatal(err)
	}
	s.take(l, false)
	return names(s.take(l, true))
}

// TestUnreadableDirectoryTakesNothingAway: what cannot be listed for a moment,
// for want of file descriptors for example, still holds what it held.
func TestUnreadableDirectoryTakesNothingAway(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	put(t, filepath.Join(outside, "mount", "linked.yaml"), route("linked"))
	put(t, filepath.Join(root, "sub", "deep", "a.yaml"), route("deep"))
	put(t, filepath.Join(root, "subway.yaml"), route("subway"))
	if err := os.Symlink(filepath.Join(outside, "mount"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Root: root, Catalog: catalog()})
	look(t, s)
	for _, hidden := range []string{"sub", "sub/deep", "link"} {
		path := filepath.Join(root, filepath.FromSlash(hidden))
		l := &listing{files: []file{{path: path, err: syscall.EMFILE}, read(filepath.Join(root, "subway.yaml"))}}
		for _, other := range []string{"sub", "link"} {
			if !within(path, filepath.Join(root, other)) {
				l.files = append(l.files, file{path: filepath.Join(root, other), err: syscall.EMFILE})
			}
		}
		s.take(l, false)
		if gone := names(s.take(l, true)); gone != "" {
			t.Errorf("%s could not be read, and these changed: %s", hidden, gone)
		}
		if len(s.told) == 0 || !strings.Contains(s.told[0].String(), "too many open files") {
			t.Errorf("%s could not be read, and this was told: %v", hidden, s.told)
		}
	}
	l := &listing{files: []file{{path: filepath.Join(root, "sub"), err: syscall.EMFILE}, {path: filepath.Join(root, "link"), err: syscall.EMFILE}}}
	s.take(l, false)
	if gone := names(s.take(l, true)); gone != "HTTPRoute default/subway" {
		t.Errorf("subway.yaml is truly gone, and these changed: %s", gone)
	}
	if err := os.RemoveAll(filepath.Join(root, "sub")); err != nil {
		t.Fatal(err)
	}
	if gone := look(t, s); gone != "HTTPRoute default/deep" {
		t.Errorf("sub is truly gone, and these changed: %s", gone)
	}
}

// TestWhatCannotBeListedIsNamed makes the errors that need no special powers.
func TestWhatCannotBeListedIsNamed(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "a.yaml"), route("shop"))
	for _, link := range [][2]string{{"b", "c"}, {"c", "b"}, {"d.yaml", "d.yaml"}} {
		if err := os.Symlink(filepath.Join(root, link[0]), filepath.Join(root, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	l, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, f := range l.files {
		if f.err != nil {
			failed[filepath.Base(f.path)] = errors.Is(f.err, syscall.ELOOP)
		}
	}
	for _, name := range []string{"b", "c", "d.yaml"} {
		if !failed[name] {
			t.Errorf("%s leads to itself, and these could not be read: %v", name, failed)
		}
	}
}

func TestHiddenFileKeepsItsObject(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "sub", "a.yaml"), route("shop"))
	s := New(Options{Root: root, Catalog: catalog()})
	look(t, s)
	put(t, filepath.Join(root, "b.yaml"), strings.Replace(route("shop"), "port: 80", "port: 81", 1))
	l := &listing{files: []file{read(filepath.Join(root, "b.yaml")), {path: filepath.Join(root, "sub"), err: syscall.EACCES}}}
	s.take(l, false)
	if changed := names(s.take(l, true)); changed != "" {
		t.Errorf("another file took %s over", changed)
	}
	if len(s.told) != 2 || !strings.Contains(s.told[0].Message, filepath.Join("sub", "a.yaml")+":1:1, which stays in force") {
		t.Errorf("%v", s.told)
	}
}

func TestLinksToAncestorsAreNotFollowed(t *testing.T) {
	root := filepath.Join(t.TempDir(), "in")
	put(t, filepath.Join(root, "a.yaml"), route("shop"))
	put(t, filepath.Join(filepath.Dir(root), "above.yaml"), route("above"))
	for name, target := range map[string]string{"slash": "/", "up": "..", "self": "."} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := New(Options{Root: root, Catalog: catalog()})
	if got := look(t, s); len(s.state) != 1 {
		t.Errorf("read %s", got)
	}
	if len(s.told) != 2 || !s.told[0].Note || !strings.Contains(s.told[0].Message, "leads to /, which holds the directory itself") {
		t.Errorf("told %v", s.told)
	}
}

func TestTooManyFilesTakeNothingAway(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "z.yaml"), route("shop"))
	s := New(Options{Root: root, Catalog: catalog()})
	look(t, s)
	w := walk{listing: &listing{files: make([]file, maxFiles)}, root: root, real: root, visited: map[string]bool{}}
	if err := w.dir(root, root); err != nil {
		t.Fatal(err)
	}
	s.take(w.listing, false)
	if gone := names(s.take(w.listing, true)); gone != "" {
		t.Errorf("these went: %s", gone)
	}
	if len(s.told) != 1 || !strings.Contains(s.told[0].Message, "holds too much: at most 10000 files") {
		t.Errorf("told %v", s.told)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRootThatGoesAndComesBack: nothing is taken away meanwhile, and what is
// told of it goes too, though no file has changed.
func TestRootThatGoesAndComesBack(t *testing.T) {
	w := watchDir(t, map[string]string{"a.yaml": route("shop")})
	if err := os.Rename(w.root, w.root+"-away"); err != nil {
		t.Fatal(err)
	}
	w.until("the root is missed", func() bool { return strings.Contains(w.text(), "what was read before stays in force") })
	if err := os.Rename(w.root+"-away", w.root); err != nil {
		t.Fatal(err)
	}
	w.until("nothing is wrong any more", func() bool { return len(w.problems) == 0 })
	if w.objects[routeKey("shop")] == nil {
		t.Error("an object was lost")
	}
}

// TestLongNamesAreBounded: the place of each field is kept by its path, so that
// a long key above many values would be kept as often.
func TestLongNamesAreBounded(t *testing.T) {
	head := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\n"
	deep := "data: " + strings.Repeat("{"+strings.Repeat("k", maxKey)+": ", 4) + "x" + strings.Repeat("}", 4) + "\n"
	wide := "? " + strings.Repeat("k", maxKey) + "\n: [" + strings.Repeat("1,", 8000) + "1]\n"
	for name, c := range map[string]struct{ text, want string }{
		"key":  {"? " + strings.Repeat("k", maxKey+1) + "\n: [1, 2]\n", "4:3: has a name of 513 characters"},
		"deep": {deep, "is nested in names of more than 1024 characters"},
		"wide": {wide, "it stands for many times more"},
	} {
		held := 0
		var told []string
		for _, d := range parse(catalog(), head+c.text) {
			for path := range d.places {
				held += len(path)
			}
			for _, f := range d.faults {
				told = append(told, Place{"f", f.line, f.column}.String()+": "+f.message)
			}
		}
		if len(told) != 1 || !strings.Contains(told[0], c.want) {
			t.Errorf("%s: %v", name, told)
		}
		if most := pathAllowance + 2*maxPath + pathFactor*len(head+c.text); held > most {
			t.Errorf("%s: %d bytes of paths are kept, want at most %d", name, held, most)
		}
	}
}
