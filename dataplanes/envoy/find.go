package envoy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Variable names the environment variable that says where Envoy is.
const Variable = "SLUICE_ENVOY"

// Version is the one that the configuration is written for.
const Version = "1.40"

// Find returns the path of Envoy's program: what SLUICE_ENVOY names, or "envoy" in
// PATH.
func Find() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("no Envoy can be run from %s=%s (%w): set it to the path of Envoy %s", Variable, path, cause(err), Version)
		}
		return path, nil
	}
	path, err := exec.LookPath("envoy")
	if err != nil {
		return "", fmt.Errorf("there is no Envoy here: put Envoy %s into PATH as envoy, or set %s to its path", Version, Variable)
	}
	return path, nil
}

func cause(err error) error {
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

// program is Envoy's, once it was found to be one that can be used.
type program struct {
	mu   sync.Mutex
	path string
}

// find looks for Envoy until there is one.
func (p *program) find() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path != "" {
		return p.path, nil
	}
	path, err := Find()
	if err == nil {
		err = checkVersion(path)
	}
	if err == nil {
		p.path = path
	}
	return p.path, err
}

// checkVersion asks a program whether it is the Envoy that is wanted.
func checkVersion(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, "--version").Output()
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s is no program for this machine: Envoy %s for its processor is wanted (set %s to its path)", path, Version, Variable)
	case err != nil:
		return fmt.Errorf("%s --version fails (%w): Envoy %s is wanted (set %s to its path)", path, cause(err), Version, Variable)
	}
	if version := versionIn(string(said)); !strings.HasPrefix(version, Version+".") {
		return fmt.Errorf("%s is version %q: Envoy %s is wanted (set %s to its path)", path, version, Version, Variable)
	}
	return nil
}

// versionIn reads "envoy  version: 9e55.../1.40.0/Clean/RELEASE/BoringSSL".
func versionIn(said string) string {
	_, rest, _ := strings.Cut(said, "version: ")
	parts := strings.Split(rest, "/")
	if len(parts) < 2 {
		line, _, _ := bytes.Cut([]byte(said), []byte("\n"))
		return string(line[:min(len(line), 80)])
	}
	return parts[1]
}
