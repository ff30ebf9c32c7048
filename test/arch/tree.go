package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the repository's main module.
const Module = "github.com/sluice-gateway/sluice"

// Tree is the repository as text: every Go file parsed, every other file read.
type Tree struct {
	// Go holds the Go files of every module, ordered by path.
	Go []*GoFile
	// Text holds the content of every file by path, Go files included.
	Text map[string]string
	// Modules are the folders that have a go.mod; "." is the main one.
	Modules []string
}

// GoFile is one parsed file.
type GoFile struct {
	// Path is relative to the repository, with slashes.
	Path string
	// Dir is the folder, which is also the package's path in its module.
	Dir       string
	AST       *ast.File
	Fset      *token.FileSet
	Lines     int
	Test      bool
	Generated bool
}

// Imports returns the paths that the file imports.
func (f *GoFile) Imports() []string {
	var paths []string
	for _, spec := range f.AST.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// At names a place of the file: "path:line".
func (f *GoFile) At(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", f.Path, f.Fset.Position(pos).Line)
}

// Funcs returns the file's functions that have a body.
func (f *GoFile) Funcs() []*ast.FuncDecl {
	var funcs []*ast.FuncDecl
	for _, decl := range f.AST.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			funcs = append(funcs, fn)
		}
	}
	return funcs
}

// Length is the number of lines from the word func to the closing brace.
func (f *GoFile) Length(fn *ast.FuncDecl) int {
	return f.Fset.Position(fn.End()).Line - f.Fset.Position(fn.Pos()).Line + 1
}

// Selects returns the places where the file uses name of the package that it
// imports as path: Selects("time", "Now").
func (f *GoFile) Selects(pkg, name string) []token.Pos {
	local := f.localName(pkg)
	if local == "" {
		return nil
	}
	var found []token.Pos
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local {
			found = append(found, sel.Pos())
		}
		return true
	})
	return found
}

// localName is what a file calls an imported package; empty where it does not
// import it.
func (f *GoFile) localName(pkg string) string {
	for _, spec := range f.AST.Imports {
		if spec.Path.Value != strconv.Quote(pkg) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

// Load reads a tree. Folders whose name begins with a dot are left out, but for
// .ci, and so is .git where it is a file, as in a second working tree; Go files
// below testdata are text.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{Text: map[string]string{}}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden(p):
			return fs.SkipDir
		case d.Type().IsRegular() && p != ".git":
			return t.add(fsys, p)
		}
		return nil
	})
	return t, err
}

func hidden(dir string) bool {
	return dir != "." && dir != ".ci" && strings.HasPrefix(path.Base(dir), ".")
}

func (t *Tree) add(fsys fs.FS, p string) error {
	data, err := fs.ReadFile(fsys, p)
	if err != nil {
		return err
	}
	src := string(data)
	t.Text[p] = src
	if path.Base(p) == "go.mod" {
		t.Modules = append(t.Modules, path.Dir(p))
	}
	if path.Ext(p) != ".go" || slices.Contains(strings.Split(p, "/"), "testdata") {
		return nil
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Go = append(t.Go, &GoFile{
		Path: p, Dir: path.Dir(p), AST: file, Fset: fset,
		Lines:     strings.Count(src, "\n"),
		Test:      strings.HasSuffix(p, "_test.go"),
		Generated: ast.IsGenerated(file),
	})
	return nil
}

// Packages returns the tree's Go files by folder.
func (t *Tree) Packages() map[string][]*GoFile {
	packages := map[string][]*GoFile{}
	for _, f := range t.Go {
		packages[f.Dir] = append(packages[f.Dir], f)
	}
	return packages
}

// Written returns the Go files that a person wrote, tests left out.
func (t *Tree) Written() []*GoFile {
	return slices.DeleteFunc(slices.Clone(t.Go), func(f *GoFile) bool { return f.Test || f.Generated })
}
