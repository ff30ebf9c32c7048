package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// proxy is a program that others make, with an image of its own. This machine's
// program of the same release stands for that image in a cluster.
type proxy struct {
	dataplane, name string
	// image is the name that the operator knows the image by, and folder where the
	// program is in it.
	image, folder string
	// variable names the program; else it is where make puts it.
	variable string
	// user is the image's, as name:number; empty is a number alone.
	user string
}

var proxies = []proxy{
	{
		dataplane: "envoy", name: "Envoy", variable: "SLUICE_ENVOY",
		image: "docker.io/envoyproxy/envoy:distroless-v1.40.0", folder: "/usr/local/bin",
	},
	{
		dataplane: "haproxy", name: "HAProxy", variable: "SLUICE_HAPROXY",
		image: "docker.io/library/haproxy:3.0", folder: "/usr/local/sbin", user: "haproxy:99",
	},
}

// Dataplanes are those whose proxy can run in the cluster.
func (r *Rig) Dataplanes() []string {
	able := []string{"go"}
	for _, p := range proxies {
		if exists(r.program(p)) {
			able = append(able, p.dataplane)
		}
	}
	return able
}

// Has reports whether there is a dataplane's proxy to run in the cluster.
func (r *Rig) Has(dataplane string) bool { return slices.Contains(r.Dataplanes(), dataplane) }

// Needs skips a test where there is no proxy of a dataplane.
func (r *Rig) Needs(t testing.TB, dataplane string) {
	t.Helper()
	if r.Has(dataplane) {
		return
	}
	name := dataplane
	for _, p := range proxies {
		if p.dataplane == dataplane {
			name = p.name
		}
	}
	t.Skipf("skipped for want of %s: make %s says why there is none", name, dataplane)
}

// program is the path of a proxy's program, whether or not it is there.
func (r *Rig) program(p proxy) string {
	if file := os.Getenv(p.variable); file != "" {
		return file
	}
	return filepath.Join(r.Root, ".bin", p.dataplane)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// loadProxies gives the nodes what stands for the images of some dataplanes. An
// archive is made anew where the program is another.
func (r *Rig) loadProxies(ctx context.Context, dataplanes []string, out string) error {
	for _, p := range proxies {
		if !slices.Contains(dataplanes, p.dataplane) {
			continue
		}
		program, err := os.Stat(r.program(p))
		if err != nil {
			fmt.Fprintf(os.Stderr, "note: there is no %s at %s, so the cluster has no image of it\n", p.name, r.program(p))
			continue
		}
		archive := filepath.Join(out, p.dataplane+"-"+runtime.GOARCH+".tar")
		made, err := os.Stat(archive)
		if err != nil || made.ModTime().Before(program.ModTime()) {
			if _, err := r.output(ctx, r.Plan().Program("images"), r.packing(p, archive)...); err != nil {
				return err
			}
		}
		if err := r.LoadImage(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// packing are the arguments that pack a proxy's program. The libraries that it
// loads are this machine's, or of the packages that hack/haproxy has unpacked
// beside it; then the program is that of the packages too, which is bound to no
// folder of this machine.
func (r *Rig) packing(p proxy, archive string) []string {
	program := r.program(p)
	args := []string{"pack", "-out", archive, "-ref", p.image, "-folder", p.folder, "-libraries"}
	if p.user != "" {
		args = append(args, "-user", p.user)
	}
	packages := program + ".d"
	if whole := filepath.Join(packages, "usr", "sbin", filepath.Base(program)); exists(whole) {
		return append(args, "-root", packages, whole)
	}
	return append(args, program)
}
