package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Wanted says which program is looked for.
type Wanted struct {
	// Name is what people call it: "Envoy".
	Name string
	// Release is the one that configurations are written for: "1.40", "3.0 or newer".
	Release string
	// Variable names the environment variable that says where it is.
	Variable string
	// Command is its name in PATH; Usual is another place, empty for none.
	Command, Usual string
	// Flag has it say its version.
	Flag string
	// Objection says why what it says of its version is not what is wanted, as "is
	// version 1.39.0"; empty where it is.
	Objection func(said string) string
}

// path returns where the program is.
func (w *Wanted) path() (string, error) {
	if path := os.Getenv(w.Variable); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("no %s can be run from %s=%s (%w): set it to the path of %[1]s %[5]s", w.Name, w.Variable, path, Cause(err), w.Release)
		}
		return path, nil
	}
	for _, place := range []string{w.Command, w.Usual} {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s here: put %[1]s %[2]s into PATH as %[3]s, or set %[4]s to its path", w.Name, w.Release, w.Command, w.Variable)
}

// check asks a program whether it is the one that is wanted.
func (w *Wanted) check(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, w.Flag).Output() //nolint:gosec // Whoever runs this says which.
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s is no program for this machine: %s %s for its processor is wanted (set %s to its path)", path, w.Name, w.Release, w.Variable)
	case err != nil:
		return fmt.Errorf("%s %s fails (%w): %s %s is wanted (set %s to its path)", path, w.Flag, Cause(err), w.Name, w.Release, w.Variable)
	}
	if objection := w.Objection(string(said)); objection != "" {
		return fmt.Errorf("%s %s: %s %s is wanted (set %s to its path)", path, objection, w.Name, w.Release, w.Variable)
	}
	return nil
}

// Finder looks for a program until there is one.
type Finder struct {
	Wanted Wanted

	mu   sync.Mutex
	path string
}

// Find returns the program's path. Its error says what is wrong, and what would be
// right.
func (f *Finder) Find() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path != "" {
		return f.path, nil
	}
	path, err := f.Wanted.path()
	if err == nil {
		err = f.Wanted.check(path)
	}
	if err == nil {
		f.path = path
	}
	return f.path, err
}

// Cause is what is wrong with a file or a program, without the words that name it.
func Cause(err error) error {
	var at *exec.Error
	if errors.As(err, &at) {
		return at.Err
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
