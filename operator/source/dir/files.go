package dir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The bounds of what is read. A link can lead to anything, and whoever may write
// into the directory must not be able to fill this machine's memory.
const (
	// maxFile bounds a file: what is larger is no file of objects.
	maxFile  = 16 << 20
	maxBytes = 256 << 20
	maxFiles = 10_000
	maxDirs  = 10_000
)

// file is one file as it was read, or the file or directory that could not be.
type file struct {
	path string
	text string
	err  error
	// note is true where the error is worth knowing, and hides nothing.
	note bool
}

// listing is all that a directory holds.
type listing struct {
	files []file
	// dirs are to be watched.
	dirs  []string
	bytes int
	full  bool
}

// same reports whether two readings saw the same files with the same text.
func (l *listing) same(other *listing) bool {
	return other != nil && slices.EqualFunc(l.files, other.files, func(a, b file) bool {
		return a.path == b.path && a.text == b.text && (a.err == nil) == (b.err == nil)
	})
}

// list reads a directory tree, or a single file. Symbolic links are followed,
// as Kubernetes mounts a ConfigMap through them. An error means that nothing at
// all is known of the root.
func list(root string) (*listing, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, unreadable(root, err)
	}
	l := &listing{}
	if !info.IsDir() {
		l.dirs = []string{filepath.Dir(root)}
		l.files = []file{read(root)}
		return l, nil
	}
	real, err := realPath(root)
	if err != nil {
		return nil, unreadable(root, err)
	}
	w := walk{listing: l, root: root, real: real, visited: map[string]bool{}}
	if err := w.dir(root, real); err != nil {
		return nil, unreadable(root, err)
	}
	return l, nil
}

func unreadable(root string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read %s: %w", root, err)
	}
	return fmt.Errorf("cannot read %s: %w; name a directory of YAML files", root, err)
}

// walk is one way through a directory tree.
type walk struct {
	*listing
	// root is the directory as it was named, real where it truly is.
	root, real string
	visited    map[string]bool
}

// dir visits a directory once, however many links lead to it. What was listed
// before an error counts.
func (w *walk) dir(path, real string) error {
	if w.visited[real] {
		return nil
	}
	w.visited[real] = true
	w.dirs = append(w.dirs, path)
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if w.overflows() {
			break
		}
		if !ignored(e.Name()) {
			w.entry(filepath.Join(path, e.Name()), e)
		}
	}
	return err
}

// overflows ends a walk that has become too large: of what was not reached
// nothing is known.
func (w *walk) overflows() bool {
	if !w.full && (len(w.files) >= maxFiles || len(w.dirs) > maxDirs || w.bytes > maxBytes) {
		w.full = true
		w.files = append(w.files, file{path: w.root, err: fmt.Errorf(
			"it holds too much: at most %d files, %d directories and %d MiB are read; what comes after %s was left out",
			maxFiles, maxDirs, maxBytes>>20, w.last())})
	}
	return w.full
}

func (w *walk) last() string {
	if n := len(w.files); n > 0 {
		return w.files[n-1].path
	}
	return w.dirs[len(w.dirs)-1]
}

func (w *walk) entry(path string, e fs.DirEntry) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		w.below(path)
	case manifest(e.Name()) && err != nil:
		w.files = append(w.files, file{path: path, err: err})
	case manifest(e.Name()) && info.Mode().IsRegular():
		f := read(path)
		w.bytes += len(f.text)
		w.files = append(w.files, f)
	case err != nil && !e.Type().IsRegular() && !errors.Is(err, fs.ErrNotExist):
		// It may be a directory: what does not exist alone is surely gone.
		w.files = append(w.files, file{path: path, err: err})
	}
}

func (w *walk) below(path string) {
	real, err := realPath(path)
	if err == nil && within(w.real, real) && real != w.real {
		w.files = append(w.files, file{path: path, note: true, err: fmt.Errorf("it leads to %s, which holds the directory itself: link to what is needed of it", real)})
		return
	}
	if err == nil {
		err = w.dir(path, real)
	}
	if err != nil {
		w.files = append(w.files, file{path: path, err: err})
	}
}

// realPath is where a path leads, whatever links are in it.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// within reports whether a path is a directory or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
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
	f, err := os.Open(path)
	if err != nil {
		return file{path: path, err: err}
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		data, err = nil, fmt.Errorf("it is larger than %d MiB: split it", maxFile>>20)
	}
	return file{path: path, text: string(data), err: err}
}
