package arch

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	modulePattern    = regexp.MustCompile(`(?m)^module (\S+)$`)
	goVersionPattern = regexp.MustCompile(`(?m)^go (\S+)$`)
)

// checkModules holds nested modules to the main one's name and Go version. The
// other rules see their files too, because a Tree has every folder.
func checkModules(t *Tree) []string {
	var broken []string
	version := first(goVersionPattern, t.Text["go.mod"])
	for _, dir := range t.Modules {
		file := path.Join(dir, "go.mod")
		if name, want := first(modulePattern, t.Text[file]), path.Join(Module, dir); name != want {
			broken = append(broken, fmt.Sprintf("%s is module %s: a module is named by its folder, %s", file, name, want))
		}
		if got := first(goVersionPattern, t.Text[file]); got != version {
			broken = append(broken, fmt.Sprintf("%s says go %s, the main module says go %s: one version for all", file, got, version))
		}
	}
	return append(broken, checkBuildOnly(t)...)
}

// buildOnly is the folder of modules that say which versions of other people's
// programs are built, and the tag that their Go files carry.
const buildOnly = "programs"

// checkBuildOnly keeps what those modules build out of every check: linting them
// would compile Kubernetes.
func checkBuildOnly(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if path.Base(path.Dir(f.Dir)) == buildOnly && slices.Contains(t.Modules, f.Dir) && !strings.HasPrefix(t.Text[f.Path], "//go:build "+buildOnly+"\n") {
			broken = append(broken, fmt.Sprintf("%s is in a module that is only built from, and begins without //go:build %s: every check would compile what it imports", f.Path, buildOnly))
		}
	}
	return broken
}

func first(pattern *regexp.Regexp, text string) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
