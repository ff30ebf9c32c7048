package dir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds a file: what is larger is no file of objects.
const maxFile = 16 << 20

// file is one file as it was read.
type file struct {
	path string
	text string
	err  error
}

// listing is all that a directory holds.
type listing struct {
	files []file
	// dirs are to be watched.
	dirs []string
}

// same reports whether two readings saw the same files with the same text.
func (l *listing) same(other *listing) bool {
	return other != nil && slices.EqualFunc(l.files, other.files, func(a, b file) bool {
		return a.path == b.path && a.text == b.text && (a.err == nil) == (b.err == nil)
	})
}

// list reads a directory tree, or a single file. Symbolic links are followed,
// as Kubernetes mounts a ConfigMap through them.
func list(root string) (*listing, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w; name a directory of YAML files", root, err)
	}
	l := &listing{}
	if !info.IsDir() {
		l.dirs = []string{filepath.Dir(root)}
		l.files = []file{read(root)}
		return l, nil
	}
	l.walk(root, map[string]bool{})
	return l, nil
}

// walk visits a directory once, however many links lead to it.
func (l *listing) walk(dir string, visited map[string]bool) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || visited[real] {
		return
	}
	visited[real] = true
	l.dirs = append(l.dirs, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		l.files = append(l.files, file{path: dir, err: err})
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if ignored(e.Name()) {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			l.walk(path, visited)
		case !manifest(e.Name()):
		case err != nil:
			l.files = append(l.files, file{path: path, err: err})
		case info.Mode()&fs.ModeType == 0:
			l.files = append(l.files, read(path))
		}
	}
}

// ignored names are hidden, or what editors leave beside a file.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~")
}

func manifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func read(path string) file {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		return file{path: path, err: fmt.Errorf("is larger than %d MiB: split it", maxFile>>20)}
	}
	if err != nil {
		return file{path: path, err: err}
	}
	data, err := os.ReadFile(path)
	return file{path: path, text: string(data), err: err}
}
