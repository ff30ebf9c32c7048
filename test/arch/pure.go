package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// pure are the rooms in which the same input always gives the same output.
var pure = []string{"ir", "translators", "operator/findings", "operator/gatewayapi", "operator/ingress", "operator/resources"}

// world are imports through which a result could depend on more than the input.
var world = map[string]string{
	"context":      "a pure function cannot be cancelled",
	"log":          "say it in a finding",
	"log/slog":     "say it in a finding",
	"net":          "use net/netip; names are resolved by the engine",
	"net/http":     "fetch nothing; take the value as an input",
	"os":           "take the value as an input",
	"os/exec":      "run nothing",
	"math/rand":    "take randomness as an input",
	"math/rand/v2": "take randomness as an input",
	"crypto/rand":  "take randomness as an input",
}

// clients are prefixes of imports that reach a cluster or write a log.
var clients = []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/go-logr", "k8s.io/klog"}

func isPure(f *GoFile) bool {
	return !f.Test && slices.ContainsFunc(pure, func(dir string) bool { return covers(dir, f.Dir) })
}

func checkPure(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if !isPure(f) {
			continue
		}
		for _, imported := range f.Imports() {
			if why := worldly(imported); why != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s, but its package is pure: %s", f.Path, imported, why))
			}
		}
		broken = append(broken, checkClock(f)...)
	}
	return broken
}

func worldly(imported string) string {
	if slices.ContainsFunc(clients, func(p string) bool { return strings.HasPrefix(imported, p) }) {
		return "the engine reads and writes"
	}
	return world[imported]
}

func checkClock(f *GoFile) []string {
	var broken []string
	for _, name := range []string{"Now", "Since", "Until", "After", "NewTimer", "NewTicker", "Sleep"} {
		for _, pos := range f.Selects("time", name) {
			broken = append(broken, fmt.Sprintf("%s: time.%s in a pure package: take the time as an input", f.At(pos), name))
		}
	}
	return broken
}

// codecFree are the parts of our own proxies that meet every codec, or are one.
var codecFree = []string{
	"dataplanes/internal/exchange", "dataplanes/goproxy/table", "dataplanes/internal/filter", "dataplanes/internal/upstream",
	"dataplanes/internal/wire/h1", "dataplanes/internal/wire/h2",
}

func checkCodecFree(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if f.Test || !slices.ContainsFunc(codecFree, func(dir string) bool { return covers(dir, f.Dir) }) {
			continue
		}
		for _, name := range []string{"Request", "ResponseWriter", "Response", "Handler", "Header"} {
			for _, pos := range f.Selects("net/http", name) {
				broken = append(broken, fmt.Sprintf("%s: http.%s in a part of the proxy that must work under any codec: use exchange.Request and exchange.Response", f.At(pos), name))
			}
		}
	}
	return broken
}

// core are the rooms whose exported functions take one struct and give one.
var core = []string{"ir", "translators", "operator/findings", "operator/gatewayapi", "operator/ingress"}

// maxParameters of an exported core function, its receiver not counted.
const maxParameters = 3

func checkParameters(t *Tree) []string {
	var broken []string
	for _, f := range t.Go {
		if f.Test || f.Generated || !slices.ContainsFunc(core, func(dir string) bool { return covers(dir, f.Dir) }) {
			continue
		}
		for _, fn := range f.Funcs() {
			if n := parameters(fn); ast.IsExported(fn.Name.Name) && n > maxParameters {
				broken = append(broken, fmt.Sprintf("%s: %s takes %d parameters, at most %d: put them into one struct that names them", f.At(fn.Pos()), fn.Name.Name, n, maxParameters))
			}
		}
	}
	return broken
}

func parameters(fn *ast.FuncDecl) int {
	n := 0
	for _, field := range fn.Type.Params.List {
		n += max(1, len(field.Names))
	}
	return n
}
