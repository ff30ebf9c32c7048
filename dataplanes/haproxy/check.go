package haproxy

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sluice-gateway/sluice/dataplanes/agent/folder"
)

// checkName is where files are read that may not be taken.
const checkName = "check"

// check asks HAProxy whether it would take files, and returns what it says; nothing
// where it would. No file of the folder is changed.
func (p *process) check(ctx context.Context, files map[string]string) (said string, err error) {
	at := &folder.Folder{Dir: p.folder.Path(checkName)}
	defer func() { _ = os.RemoveAll(at.Dir) }()
	for name, content := range files {
		if have, there := p.written[name]; there && have == content && link(p.folder.Path(name), at.Path(name)) == nil {
			continue
		}
		if err := at.Write(name, content); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, masterTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.program, append([]string{"-c", "-C", at.Dir}, reads...)...).CombinedOutput() //nolint:gosec // It is the program that runs.
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit):
		return string(out) + "\n", nil
	default:
		return "", err
	}
}

// link has a file in two places.
func link(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.Link(from, to)
}
