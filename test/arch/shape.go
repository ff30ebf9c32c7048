package arch

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
)

// The bounds of STYLE, in lines.
const (
	maxFunction    = 80
	maxMedian      = 10
	maxP90         = 35
	maxFile        = 400
	maxIRFile      = 600
	maxTestFile    = 600
	maxMainFile    = 60
	minPackageDoc  = 60 // In characters: shorter says nothing.
	shortestSample = 20 // Fewer functions have no meaningful quantiles.
)

func checkFunctionLengths(t *Tree) []string {
	var broken []string
	for _, f := range t.Written() {
		for _, fn := range f.Funcs() {
			if n := f.Length(fn); n > maxFunction {
				broken = append(broken, fmt.Sprintf("%s: %s has %d lines, at most %d: name its steps and make each a function", f.At(fn.Pos()), fn.Name.Name, n, maxFunction))
			}
		}
	}
	return broken
}

func checkFunctionQuantiles(t *Tree) []string {
	var lengths []int
	for _, f := range t.Written() {
		for _, fn := range f.Funcs() {
			lengths = append(lengths, f.Length(fn))
		}
	}
	if len(lengths) < shortestSample {
		return nil
	}
	slices.Sort(lengths)
	var broken []string
	if m := lengths[len(lengths)/2]; m > maxMedian {
		broken = append(broken, fmt.Sprintf("the median function has %d lines, at most %d: split what does two things", m, maxMedian))
	}
	if p := lengths[len(lengths)*9/10]; p > maxP90 {
		broken = append(broken, fmt.Sprintf("one function in ten has more than %d lines, at most %d: split the long ones", p, maxP90))
	}
	return broken
}

func checkFileSizes(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if limit := fileLimit(f); f.Lines > limit && !f.Generated {
			broken = append(broken, fmt.Sprintf("%s has %d lines, at most %d: split it by what its parts are about", f.Path, f.Lines, limit))
		}
	}
	return broken
}

func fileLimit(f *GoFile) int {
	switch {
	case f.Test:
		return maxTestFile
	case covers("ir", f.Dir):
		return maxIRFile
	default:
		return maxFile
	}
}

func checkMain(t *Tree) []string {
	var broken []string
	for _, f := range t.Written() {
		if f.AST.Name.Name == "main" && hasFunc(f, "main") && f.Lines > maxMainFile {
			broken = append(broken, fmt.Sprintf("%s has %d lines, at most %d: main starts what operator/app wires, and decides nothing", f.Path, f.Lines, maxMainFile))
		}
	}
	return broken
}

func checkInit(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if hasFunc(f, "init") && !f.Generated {
			broken = append(broken, f.Path+" has an init: call it from where it is needed; plug-ins meet in one explicit list")
		}
	}
	return broken
}

func hasFunc(f *GoFile, name string) bool {
	return slices.ContainsFunc(f.Funcs(), func(fn *ast.FuncDecl) bool { return fn.Recv == nil && fn.Name.Name == name })
}

// vague are names that say nothing about what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib", "base", "core", "manager", "managers", "types"}

func checkPackageNames(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		for _, name := range []string{path.Base(f.Dir), f.AST.Name.Name} {
			if slices.Contains(vague, name) {
				broken = append(broken, fmt.Sprintf("%s is in a package named %s: name it for what it does, in the words of the field", f.Path, name))
				break
			}
		}
	}
	return broken
}

func checkPackageDocs(t *Tree) []string {
	packages := t.Packages()
	var broken []string
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		if problem := docProblem(packages[dir]); problem != "" {
			broken = append(broken, fmt.Sprintf("%s: %s; write what the package does and what it must not do", path.Join(dir, "doc.go"), problem))
		}
	}
	return broken
}

func docProblem(files []*GoFile) string {
	i := slices.IndexFunc(files, func(f *GoFile) bool { return path.Base(f.Path) == "doc.go" })
	if i < 0 {
		return "there is no such file"
	}
	doc, name := files[i].AST.Doc.Text(), files[i].AST.Name.Name
	if name != "main" && !strings.HasPrefix(doc, "Package "+name+" ") {
		return fmt.Sprintf("its comment does not begin with %q", "Package "+name)
	}
	if len(doc) < minPackageDoc {
		return "its comment says too little"
	}
	return ""
}

func checkSleep(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if !f.Test {
			continue
		}
		for _, pos := range f.Selects("time", "Sleep") {
			broken = append(broken, f.At(pos)+": time.Sleep in a test: wait for the condition, on a channel or by asking until it holds")
		}
	}
	return broken
}
