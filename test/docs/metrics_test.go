package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMetricsPageNamesEverything reads names where the code gives them: in
// calls that make metrics, and in the tags of a line of the access log.
func TestMetricsPageNamesEverything(t *testing.T) {
	page := read(t, "../../docs/metrics.md")
	for dir, name := range map[string]*regexp.Regexp{
		"admin":     regexp.MustCompile(`(?m)(?:opts\(|Name: |NewDesc\(|^\t\t+)"(?:sluice_proxy_)?([a-z_]+)"`),
		"accesslog": regexp.MustCompile("`json:\"([a-z_]+)[,\"]"),
	} {
		files, err := filepath.Glob("../../dataplanes/internal/" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range name.FindAllStringSubmatch(read(t, file), -1) {
				found++
				if !strings.Contains(page, "`"+m[1]+"`") {
					t.Errorf("docs/metrics.md does not name `%s` of %s: say what it means", m[1], file)
				}
			}
		}
		if found < 10 {
			t.Errorf("%s: %d names: the code was not read", dir, found)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
