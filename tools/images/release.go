package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// programs are those that the product has images of. What has no folder below
// cmd is not there yet and is left out.
var programs = []string{"sluice", "sluice-proxy"}

// repository is where the images' names begin.
const repository = "ghcr.io/sluice-gateway/"

// release is all images of one version.
type release struct {
	version       string
	out           string
	architectures []string
}

// write makes <out>/<program>-<architecture>.tar for loading, and <out>/oci, an
// OCI image layout in which each program is one image of all architectures.
func (r release) write() error {
	if err := os.RemoveAll(filepath.Join(r.out, "oci")); err != nil {
		return err
	}
	all, err := layout.Write(filepath.Join(r.out, "oci"), empty.Index)
	if err != nil {
		return err
	}
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join("cmd", program)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := r.add(all, program); err != nil {
			return err
		}
	}
	return nil
}

func (r release) add(all layout.Path, program string) error {
	reference := repository + program + ":" + r.version
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range r.architectures {
		img, err := r.build(program, arch)
		if err != nil {
			return err
		}
		file := filepath.Join(r.out, program+"-"+arch+".tar")
		if err := archive(file, []string{reference}, img); err != nil {
			return err
		}
		fmt.Println(file)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return all.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": r.version,
		"io.containerd.image.name":          reference,
	}))
}

// versionPlace is where programs keep the version that they say.
const versionPlace = "github.com/sluice-gateway/sluice/dataplanes/release.image"

// build compiles a program for an architecture and makes its image.
func (r release) build(program, arch string) (v1.Image, error) {
	file := filepath.Join(r.out, "programs", arch, program)
	flags := "-s -w -X " + versionPlace + "=" + r.version
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", file, "./cmd/"+program) //nolint:gosec // Our own programs.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("building %s for %s: %w", program, arch, err)
	}
	return content{program: file, version: r.version, arch: arch}.image()
}
