package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// room is a folder of the house and what it may import of the house. A room may
// import itself; "*" stands for one folder's name, so that each proxy's folder
// is a room of its own. The most specific line that covers a folder counts.
type room struct {
	path string
	may  []string
}

// rooms is DESIGN's section on the house as a table. A folder that no line
// covers may not exist.
var rooms = []room{
	{"api", nil},
	{"config", nil},

	{"ir", nil},
	{"translators/*", []string{"ir"}},

	{"dataplanes", []string{"ir"}},
	{"dataplanes/*", []string{"ir", "dataplanes", "translators"}},
	{"dataplanes/provision", []string{"ir", "api", "dataplanes"}},
	{"dataplanes/goproxy", []string{"ir", "dataplanes", "translators/goproxy"}},
	// What several dataplanes need knows none of them.
	{"dataplanes/internal", []string{"ir"}},

	{"operator/resources", nil},
	{"operator/findings", []string{"operator/resources", "ir"}},
	{"operator/gatewayapi", []string{"ir", "operator/resources", "operator/findings", "api"}},
	{"operator/ingress", []string{"ir", "operator/resources", "operator/findings", "api"}},
	{"operator/source", []string{"operator/resources"}},
	{"operator/source/*", []string{"operator/source", "operator/resources", "api", "config"}},
	{"operator/status", []string{"operator/findings", "operator/resources", "ir"}},
	{"operator/status/*", []string{"operator/status", "operator/engine", "operator/source", "operator/findings", "operator/resources", "ir"}},
	{"operator/explain", []string{"ir"}},
	{"operator/echo", []string{"operator/resources", "operator/source"}},
	{"operator/engine", []string{"ir", "dataplanes", "operator/resources", "operator/findings", "operator/gatewayapi", "operator/ingress", "operator/source", "operator/status"}},
	{"operator/authority", []string{"ir"}},
	{"operator/fleet", []string{"ir", "dataplanes", "operator/engine", "operator/gatewayapi", "operator/resources"}},
	{"operator/app", []string{"ir", "api", "operator", "dataplanes", "translators"}},

	{"cmd/sluice", []string{"operator/app"}},
	{"cmd/sluice-proxy", []string{"dataplanes", "ir"}},

	{"tools", nil},

	{"test/arch", nil},
	{"test/program", nil},
	{"test/envoy", []string{"test/program"}},
	{"test/haproxy", []string{"test/program"}},
	{"test/ordertest", []string{"ir"}},
	{"test/load", nil},
	{"test/tally", nil},
	{"test/cluster", nil},
	{"test", []string{"ir", "api", "operator", "dataplanes", "translators", "test"}},
}

// provision is the room of dataplanes that the operator alone uses: it makes
// the objects that pods run in.
const provision = "dataplanes/provision"

// covers reports whether folder dir is pattern or lies below it.
func covers(pattern, dir string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(dir, "/")
	if len(have) < len(want) {
		return false
	}
	ok, err := path.Match(pattern, strings.Join(have[:len(want)], "/"))
	return err == nil && ok
}

// roomOf returns the most specific line for a folder; of two that are as deep,
// the one without a "*".
func roomOf(dir string) (room, bool) {
	best, found := room{}, false
	for _, r := range rooms {
		if covers(r.path, dir) && (!found || specificity(r.path) > specificity(best.path)) {
			best, found = r, true
		}
	}
	return best, found
}

func specificity(pattern string) int {
	return 2*strings.Count(pattern, "/") - strings.Count(pattern, "*")
}

// own returns the folder of an import of this repository.
func own(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, Module+"/")
}

func checkImports(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		r, ok := roomOf(f.Dir)
		if !ok {
			broken = append(broken, fmt.Sprintf("%s: no line of the table in test/arch/imports.go covers this folder: put the code into a room that exists, or add the room and say in an ADR what it is for", f.Path))
			continue
		}
		broken = append(broken, checkFileImports(f, r)...)
	}
	return broken
}

func checkFileImports(f *GoFile, r room) []string {
	if f.Test {
		// A test may use its half of the house: to read YAML, to see a status. And it
		// may ask for the real program, for the clients of real load, and for random units.
		r.may = append(slices.Clone(r.may), strings.Split(f.Dir, "/")[0], "test/envoy", "test/haproxy", "test/load", "test/ordertest")
	}
	var broken []string
	for _, imported := range f.Imports() {
		dir, ours := own(imported)
		if !ours || mayImport(r, f.Dir, dir) {
			continue
		}
		broken = append(broken, fmt.Sprintf("%s imports %s: %s may import %s of the house; move what you need into one of these, or hand it over as a value",
			f.Path, dir, r.path, allowed(r)))
	}
	return broken
}

func allowed(r room) string {
	if len(r.may) == 0 {
		return "nothing else"
	}
	return strings.Join(r.may, ", ")
}

func mayImport(r room, from, to string) bool {
	if to == "operator/app" && !covers("cmd", from) {
		return false
	}
	if covers(samePlace(r.path, from), to) {
		return true
	}
	if covers(provision, to) && !covers("operator", from) && !covers("test", from) {
		return false
	}
	return slices.ContainsFunc(r.may, func(may string) bool { return covers(may, to) && !anotherProxy(from, to) })
}

// samePlace puts the folder's own names where a pattern has a "*".
func samePlace(pattern, dir string) string {
	return strings.Join(strings.Split(dir, "/")[:strings.Count(pattern, "/")+1], "/")
}

// proxies are the folders, below dataplanes and translators, that belong to one
// proxy each.
var proxies = []string{"goproxy", "haproxy", "envoy"}

// anotherProxy reports whether both folders belong to proxies, and not to one.
func anotherProxy(from, to string) bool {
	a, b := proxyOf(from), proxyOf(to)
	return a != "" && b != "" && a != b
}

func proxyOf(dir string) string {
	parts := strings.Split(dir, "/")
	if len(parts) > 1 && (parts[0] == "dataplanes" || parts[0] == "translators") && slices.Contains(proxies, parts[1]) {
		return parts[1]
	}
	return ""
}

func checkStdOnly(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if !covers("ir", f.Dir) || f.Test {
			continue
		}
		for _, imported := range f.Imports() {
			if _, ours := own(imported); !ours && strings.Contains(strings.Split(imported, "/")[0], ".") {
				broken = append(broken, fmt.Sprintf("%s imports %s: the ir has the standard library alone, so that every back end can read it; make the value before it gets here", f.Path, imported))
			}
		}
	}
	return broken
}

func checkNoKubernetes(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if !covers("dataplanes", f.Dir) && !covers("translators", f.Dir) && !covers("cmd/sluice-proxy", f.Dir) || covers(provision, f.Dir) {
			continue
		}
		for _, imported := range f.Imports() {
			if kubernetes(imported) {
				broken = append(broken, fmt.Sprintf("%s imports %s: what runs in a proxy's pod knows no Kubernetes; take it from the ir", f.Path, imported))
			}
		}
	}
	return broken
}

func kubernetes(importPath string) bool {
	host := strings.Split(importPath, "/")[0]
	return host == "k8s.io" || host == "sigs.k8s.io"
}
