package envoy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Variable names the environment variable that says where Envoy is.
const Variable = "SLUICE_ENVOY"

// Find returns the path of Envoy's program: what SLUICE_ENVOY names, or "envoy" in
// PATH.
func Find() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("Envoy is not at %s=%s (%w): set it to the path of Envoy %s", Variable, path, cause(err), Version)
		}
		return path, nil
	}
	path, err := exec.LookPath("envoy")
	if err != nil {
		return "", fmt.Errorf("Envoy is not here: put Envoy %s into PATH, or set %s to its path", Version, Variable)
	}
	return path, nil
}

// Version is the one that the configuration is written for.
const Version = "1.40"

func cause(err error) error {
	var at *exec.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
