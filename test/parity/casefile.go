package parity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Case is one folder of the suite.
type Case struct {
	// Name is "<area>/<case>".
	Name     string
	Manifest string
	Steps    []Step
}

// Load reads every case below a folder, in the order of their names.
func Load(root string) ([]*Case, error) {
	var cases []*Case
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "requests.yaml" {
			return err
		}
		c, err := load(root, filepath.Dir(path))
		cases = append(cases, c)
		return err
	})
	if err == nil && len(cases) == 0 {
		err = fmt.Errorf("no case below %s", root)
	}
	return cases, err
}

func load(root, dir string) (*Case, error) {
	name, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
	if err != nil {
		return nil, err
	}
	script, err := os.ReadFile(filepath.Join(dir, "requests.yaml"))
	if err != nil {
		return nil, err
	}
	c := &Case{Name: filepath.ToSlash(name), Manifest: string(manifest)}
	if err := yaml.UnmarshalStrict(script, &c.Steps); err != nil {
		return nil, fmt.Errorf("%s/requests.yaml: %w", name, err)
	}
	return c, c.validate()
}

func (c *Case) validate() error {
	var problems []error
	if !strings.HasPrefix(c.Manifest, "# ") {
		problems = append(problems, errors.New("in.yaml does not begin with a comment that states the rule"))
	}
	if len(c.Steps) == 0 {
		problems = append(problems, errors.New("requests.yaml has no steps"))
	}
	for i := range c.Steps {
		if err := c.Steps[i].validate(); err != nil {
			problems = append(problems, fmt.Errorf("step %d (%s): %w", i, c.Steps[i].Name, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return nil
}

func (s *Step) validate() error {
	kinds := 0
	for _, set := range []bool{s.Request != nil, s.Raw != nil, s.GRPC != nil, s.WebSocket != nil, s.Stream != nil, s.Datagram != nil, s.Edit != nil, s.Wait != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case s.Name == "":
		return errors.New("name is missing: say what the step shows")
	case kinds != 1:
		return errors.New("exactly one of request, raw, grpc, websocket, stream, datagram, edit and wait is to be set")
	}
	return nil
}
