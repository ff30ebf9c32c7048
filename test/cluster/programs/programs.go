package programs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Set is where the built programs are.
type Set struct {
	// Bin has the programs, Images the images of those that run in pods, and CRDs
	// MetalLB's.
	Bin, Images, CRDs string
}

// Cache is the folder that everything is built into: SLUICE_CLUSTER_CACHE, or a
// folder of the user's cache.
func Cache() (string, error) {
	if dir := os.Getenv("SLUICE_CLUSTER_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: set SLUICE_CLUSTER_CACHE to a folder with 3 GB to spare", err)
	}
	return filepath.Join(dir, "sluice-cluster"), nil
}

// builder builds one Set.
type builder struct {
	source   string
	root     string
	set      Set
	progress io.Writer
}

// Build returns the programs, and builds those that are not there yet: minutes
// with empty caches, a second afterwards. source is the folder of the module
// test/cluster. A second one that builds waits for the first.
func Build(ctx context.Context, source string, progress io.Writer) (Set, error) {
	cache, err := Cache()
	if err != nil {
		return Set{}, err
	}
	key, err := key(source)
	if err != nil {
		return Set{}, err
	}
	root := filepath.Join(cache, "programs-"+key)
	b := &builder{source: source, root: root, progress: progress, set: Set{
		Bin: filepath.Join(root, "bin"), Images: filepath.Join(root, "images"), CRDs: filepath.Join(root, "crds"),
	}}
	unlock, err := b.lock()
	if err != nil {
		return Set{}, err
	}
	defer unlock()
	return b.set, b.all(ctx)
}

func (b *builder) lock() (func(), error) {
	if err := os.MkdirAll(b.set.Bin, 0o750); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(b.root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return func() { _ = file.Close() }, syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
}

func (b *builder) all(ctx context.Context) error {
	for _, one := range recipe() {
		if err := b.once(one.name, func() error { return b.build(ctx, one) }); err != nil {
			return err
		}
	}
	if err := b.own(ctx); err != nil {
		return err
	}
	for _, img := range images() {
		file := filepath.Join(b.set.Images, img.program+".tar")
		if err := b.once("image of "+img.program, func() error {
			return b.run(ctx, "", nil, filepath.Join(b.set.Bin, "images"), "pack", "-out", file, "-ref", strings.Join(img.references, ","), filepath.Join(b.set.Bin, img.program))
		}); err != nil {
			return err
		}
	}
	return b.once("MetalLB's CRDs", func() error { return b.crds(ctx) })
}

// once does what was not done to its end before.
func (b *builder) once(name string, do func() error) error {
	mark := filepath.Join(b.root, "done-"+strings.ReplaceAll(name, " ", "-"))
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	began := time.Now()
	_, _ = fmt.Fprintf(b.progress, "building %s ...\n", name)
	if err := do(); err != nil {
		return fmt.Errorf("building %s: %w", name, err)
	}
	_, _ = fmt.Fprintf(b.progress, "built %s in %.0fs\n", name, time.Since(began).Seconds())
	return os.WriteFile(mark, nil, 0o600)
}

func (b *builder) build(ctx context.Context, one build) error {
	dir := ""
	if one.module != "" {
		dir = filepath.Join(b.source, "programs", one.module)
	}
	if err := b.run(ctx, dir, one.environment(b.set.Bin), "go", one.arguments(b.set.Bin)...); err != nil {
		return err
	}
	if one.rename == "" {
		return nil
	}
	return os.Rename(filepath.Join(b.set.Bin, one.built()), filepath.Join(b.set.Bin, one.rename))
}

// own builds the programs of this repository. The go command knows whether there
// is something to do.
func (b *builder) own(ctx context.Context) error {
	for _, o := range []struct{ dir, name, pkg string }{
		{b.source, "cluster", "./cmd/cluster"},
		{b.source, "pause", "./cmd/pause"},
		{filepath.Join(b.source, "..", "..", "tools", "images"), "images", "."},
	} {
		one := build{module: o.name, packages: []string{o.pkg}, output: o.name}
		if err := b.run(ctx, o.dir, one.environment(b.set.Bin), "go", one.arguments(b.set.Bin)...); err != nil {
			return fmt.Errorf("building %s: %w", o.name, err)
		}
	}
	return nil
}

// crds copies MetalLB's CRDs out of its module.
func (b *builder) crds(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "go.universe.tf/metallb@"+metallb)
	cmd.Dir, cmd.Env = b.root, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go mod download: %w: %s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return err
	}
	if err := os.RemoveAll(b.set.CRDs); err != nil {
		return err
	}
	return os.CopyFS(b.set.CRDs, os.DirFS(filepath.Join(module.Dir, "config", "crd", "bases")))
}

func (b *builder) run(ctx context.Context, dir string, environment []string, program string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // The recipe's.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
	if dir == "" {
		cmd.Dir = b.root // No go.mod of somebody else's.
	}
	cmd.Stdout, cmd.Stderr = b.progress, b.progress
	return cmd.Run()
}

// key is made of all that decides what the programs are, but for those of this
// repository, which are always built.
func key(source string) (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s %s %+v %+v\n", runtime.Version(), runtime.GOARCH, recipe(), images())
	for _, module := range []string{"kube", "dns", "echo"} {
		dir := filepath.Join(source, "programs", module)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "", fmt.Errorf("%s is no checkout of test/cluster: %w", source, err)
		}
		for _, entry := range entries {
			data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			_, _ = fmt.Fprintf(sum, "%s %s %d\n%s", module, entry.Name(), len(data), data)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

// needs are what a machine must have, by the program or file that shows it, and
// the Debian package that brings it.
var needs = []struct{ shows, deb string }{
	{"gcc", "gcc"}, {"pkg-config", "pkg-config"}, {"ip", "iproute2"}, {"nft", "nftables"}, {"nsenter", "util-linux"},
}

// Missing returns the Debian packages that the machine lacks, ordered.
func Missing() []string {
	var missing []string
	for _, need := range needs {
		if _, err := exec.LookPath(need.shows); err != nil {
			missing = append(missing, need.deb)
		}
	}
	if exec.Command("pkg-config", "--exists", "libseccomp").Run() != nil {
		missing = append(missing, "libseccomp-dev")
	}
	slices.Sort(missing)
	return missing
}

// Check says what the machine lacks, and how to get it.
func Check() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a test cluster needs Linux, and this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("a test cluster needs root: its nodes are network and mount namespaces")
	}
	if missing := Missing(); len(missing) > 0 {
		return Lacking(missing)
	}
	return nil
}

// Lacking is the error of a machine that lacks packages.
func Lacking(packages []string) error {
	return fmt.Errorf("this machine lacks what a test cluster needs; on Debian: apt-get install -y --no-install-recommends %s", strings.Join(packages, " "))
}
