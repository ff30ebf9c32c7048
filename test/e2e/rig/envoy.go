package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// envoyImage is the name that the operator knows Envoy's own image by.
const envoyImage = "docker.io/envoyproxy/envoy:distroless-v1.40.0"

// envoy is the path of Envoy's program: where the environment says, else where
// make puts it.
func (r *Rig) envoy() string {
	if file := os.Getenv("SLUICE_ENVOY"); file != "" {
		return file
	}
	return filepath.Join(r.Root, ".bin", "envoy")
}

// HasEnvoy reports whether there is an Envoy to run in the cluster.
func (r *Rig) HasEnvoy() bool {
	_, err := os.Stat(r.envoy())
	return err == nil
}

// NeedsEnvoy skips a test where there is no Envoy.
func (r *Rig) NeedsEnvoy(t testing.TB) {
	t.Helper()
	if !r.HasEnvoy() {
		t.Skip("there is no Envoy at " + r.envoy())
	}
}

// loadEnvoy gives the nodes what stands for Envoy's own image: its program, of the
// same release, under the image's name, with the libraries that it loads on this
// machine. The archive is made anew where the program is another.
func (r *Rig) loadEnvoy(ctx context.Context, archive string) error {
	if !r.HasEnvoy() {
		fmt.Fprintf(os.Stderr, "note: there is no Envoy at %s, so the cluster has no image of it\n", r.envoy())
		return nil
	}
	program, err := os.Stat(r.envoy())
	if err != nil {
		return err
	}
	made, err := os.Stat(archive)
	if err != nil || made.ModTime().Before(program.ModTime()) {
		_, err := r.output(ctx, r.Plan().Program("images"),
			"pack", "-out", archive, "-ref", envoyImage, "-folder", "/usr/local/bin", "-libraries", r.envoy())
		if err != nil {
			return err
		}
	}
	return r.LoadImage(ctx, archive)
}
