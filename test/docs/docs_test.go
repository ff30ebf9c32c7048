package docs

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated tables of the docs")

const (
	begin = "<!-- generated from the code: `make golden` -->\n"
	end   = "<!-- end of what is generated -->\n"
)

// table is rows of cells under a head.
type table struct {
	head []string
	rows [][]string
}

func (t table) String() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	line(strings.Split(strings.Repeat("---,", len(t.head)-1)+"---", ","))
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// generated returns the part of a page that is made from the code.
func generated(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), begin)
	part, _, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s: want the lines %q and %q around the generated part", page, begin, end)
	}
	return part
}

// without returns the lines of a that b lacks.
func without(a, b string) string {
	var lines strings.Builder
	for line := range strings.Lines(a) {
		if !strings.Contains(b, line) {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// hold fails where the generated part of a page is not what the code says, or
// writes it with -update.
func hold(t *testing.T, page, want string) {
	t.Helper()
	got := generated(t, page)
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s is not what the code says: run `make golden` and read the difference.\nthe page alone has:\n%s\nthe code alone says:\n%s", page, without(got, want), without(want, got))
		return
	}
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), begin+got+end, begin+want+end, 1)
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
