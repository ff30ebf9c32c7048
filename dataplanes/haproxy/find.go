package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Variable names the environment variable that says where HAProxy is.
const Variable = "SLUICE_HAPROXY"

// Version is the oldest that the configuration is written for.
const Version = "3.0"

// usual is where HAProxy's own images have it, which PATH need not name.
const usual = "/usr/local/sbin/haproxy"

// Find returns the path of HAProxy's program: what SLUICE_HAPROXY names, or "haproxy"
// in PATH, or /usr/local/sbin/haproxy.
func Find() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("no HAProxy can be run from %s=%s (%w): set it to the path of HAProxy %s or newer", Variable, path, cause(err), Version)
		}
		return path, nil
	}
	for _, name := range []string{"haproxy", usual} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no HAProxy here: put HAProxy %s or newer into PATH as haproxy, or set %s to its path", Version, Variable)
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

// program is HAProxy's, once it was found to be one that can be used.
type program struct {
	mu   sync.Mutex
	path string
}

// find looks for HAProxy until there is one.
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

// checkVersion asks a program whether it is a HAProxy that is new enough.
func checkVersion(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, "-v").Output()
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s is no program for this machine: HAProxy %s or newer for its processor is wanted (set %s to its path)", path, Version, Variable)
	case err != nil:
		return fmt.Errorf("%s -v fails (%w): HAProxy %s or newer is wanted (set %s to its path)", path, cause(err), Version, Variable)
	}
	version, major := versionIn(string(said))
	if major == 0 {
		return fmt.Errorf("%s is no HAProxy, its -v says %q: HAProxy %s or newer is wanted (set %s to its path)", path, version, Version, Variable)
	}
	if oldest, _ := strconv.Atoi(strings.TrimSuffix(Version, ".0")); major < oldest {
		return fmt.Errorf("%s is version %q: HAProxy %s or newer is wanted (set %s to its path)", path, version, Version, Variable)
	}
	return nil
}

// versionIn reads "HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/".
// What is no HAProxy has the version 0, and its first line in the place of one.
func versionIn(said string) (version string, major int) {
	line, _, _ := strings.Cut(said, "\n")
	words := strings.Fields(line)
	if len(words) < 3 || !strings.EqualFold(words[0], "haproxy") || !strings.EqualFold(words[1], "version") {
		return line[:min(len(line), 80)], 0
	}
	first, _, _ := strings.Cut(words[2], ".")
	major, _ = strconv.Atoi(first)
	return words[2], major
}
