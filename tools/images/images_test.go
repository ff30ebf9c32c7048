package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// program writes a file that stands for a static executable.
func program(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAnImageIsAProgramAndItsUser(t *testing.T) {
	img, err := content{program: program(t, "ELF"), version: "v1.2.3", arch: "arm64"}.image()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || config.OS != "linux" || config.Config.User != "65532:65532" || strings.Join(config.Config.Entrypoint, " ") != "/server" {
		t.Errorf("got %+v", config)
	}
	labels := config.Config.Labels
	if labels["org.opencontainers.image.version"] != "v1.2.3" || labels["org.opencontainers.image.source"] != source || labels["org.opencontainers.image.title"] != "server" {
		t.Errorf("labels are %v", labels)
	}
	if got := files(t, img); len(got) != 1 || got["/server"] != "ELF" {
		t.Errorf("files are %v, want the program alone", got)
	}
}

// Some programs do not read an archive that has no end.
func TestALayerHasItsEnd(t *testing.T) {
	archive, err := pack(map[string]string{"/server": program(t, "ELF")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(archive, make([]byte, 1024)) || len(archive)%512 != 0 {
		t.Errorf("%d bytes, and the last are not two blocks of zeros", len(archive))
	}
}

// files returns what the image's only layer holds, and fails where that depends
// on when or where it was made.
func files(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	found := map[string]string{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		mode := int64(0o755)
		if header.Typeflag == tar.TypeReg && path.Dir(header.Name) == "/etc" {
			mode = 0o644
		}
		if header.Mode != mode || !header.ModTime.Equal(epoch) || header.Uid != 0 {
			t.Errorf("%s: mode %o, time %s, owner %d", header.Name, header.Mode, header.ModTime, header.Uid)
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = string(data)
	}
}

// A program that is not static runs in its image as it does here: everything that
// it loads is there, at the place where it is looked for.
func TestAProgramWithItsLibraries(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this machine has no shell")
	}
	if e, err := loads(shell); err != nil || e.loader == "" {
		t.Skipf("this machine's shell is static, or no program of Linux: %v", err)
	}
	img, err := content{program: shell, folder: "/usr/local/bin", libraries: true, arch: runtime.GOARCH}.image()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil || config.Config.Entrypoint[0] != "/usr/local/bin/sh" || !strings.Contains(strings.Join(config.Config.Env, " "), "/usr/local/bin") {
		t.Errorf("got %+v, %v", config, err)
	}
	runsThere(t, unpacked(t, img))
}

// unpacked writes what an image holds into a folder.
func unpacked(t *testing.T, img v1.Image) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range files(t, img) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o700); err != nil { //nolint:gosec // A program of the test's own.
			t.Fatal(err)
		}
	}
	return root
}

// runsThere runs the shell of another root.
func runsThere(t *testing.T, root string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it takes root to run a program in another root")
	}
	cmd := exec.CommandContext(t.Context(), "/usr/local/bin/sh", "-c", "echo it runs") //nolint:gosec // The shell in its folder.
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "it runs" {
		t.Errorf("%q, %v", out, err)
	}
}

// Packages that were unpacked into a folder are a system without the links of an
// installed one: what /lib leads to there is in /usr/lib alone. The image has that
// system's files where its loader looks for them, and nothing of this machine.
func TestAProgramOfAnotherSystem(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this machine has no shell")
	}
	loaded, err := system("").libraries(shell)
	if err != nil || len(loaded) == 0 {
		t.Skipf("this machine's shell is static, or no program of Linux: %v", err)
	}
	other := t.TempDir()
	for name, file := range loaded {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(other, "usr", strings.TrimPrefix(name, "/usr"))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o700)); err != nil { //nolint:gosec // A program of the test's own.
			t.Fatal(err)
		}
	}
	who := account{name: "shell", number: 99}
	img, err := content{program: shell, folder: "/usr/local/bin", libraries: true, root: other, user: who, arch: runtime.GOARCH}.image()
	if err != nil {
		t.Fatal(err)
	}
	if config, err := img.ConfigFile(); err != nil || config.Config.User != "shell" {
		t.Errorf("got %+v, %v", config, err)
	}
	has := files(t, img)
	if !strings.Contains(has["/etc/passwd"], "\nshell:x:99:99:") || !strings.Contains(has["/etc/group"], "\nshell:x:99:") {
		t.Errorf("the users are %q, the groups %q", has["/etc/passwd"], has["/etc/group"])
	}
	if len(has) != len(loaded)+3 {
		t.Errorf("%d files, want the shell, %d that it loads, and two of its user", len(has), len(loaded))
	}
	runsThere(t, unpacked(t, img))
	if err := os.RemoveAll(filepath.Join(other, "usr")); err != nil {
		t.Fatal(err)
	}
	if _, err := (content{program: shell, libraries: true, root: other}).image(); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("without its libraries: %v, want an error that names the folder", err)
	}
}

func TestTheSameProgramGivesTheSameBytes(t *testing.T) {
	var archives [2][]byte
	for i := range archives {
		out := filepath.Join(t.TempDir(), "image.tar")
		if err := packOne(out, []string{"localhost/a:dev", "localhost/b:dev"}, content{program: program(t, "ELF")}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		archives[i] = data
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of one program differ")
	}
}

func TestAnArchiveHasAllItsNames(t *testing.T) {
	out := filepath.Join(t.TempDir(), "deeper", "image.tar")
	if err := run([]string{"pack", "-out", out, "-ref", "localhost/a:dev,registry.k8s.io/b/c:v1", program(t, "ELF")}); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"localhost/a:dev", "registry.k8s.io/b/c:v1"} {
		tag, err := name.NewTag(reference)
		if err != nil {
			t.Fatal(err)
		}
		img, err := tarball.ImageFromPath(out, &tag)
		if err != nil {
			t.Fatalf("%s: %v", reference, err)
		}
		if config, err := img.ConfigFile(); err != nil || config.Architecture != runtime.GOARCH {
			t.Errorf("%s: %+v, %v", reference, config, err)
		}
	}
}

func TestWhatCannotBePackedIsSaid(t *testing.T) {
	out := filepath.Join(t.TempDir(), "image.tar")
	for want, arguments := range map[string][]string{
		"is no image name": {"pack", "-out", out, "-ref", "Not A Name", program(t, "ELF")},
		"no such file":     {"pack", "-out", out, "-ref", "localhost/a:dev", "/nowhere/server"},
		"no program of":    {"pack", "-libraries", "-out", out, "-ref", "localhost/a:dev", program(t, "text")},
		"and not root":     {"pack", "-user", "root:0", "-out", out, "-ref", "localhost/a:dev", program(t, "ELF")},
		"usage":            {"pack", "-ref", "localhost/a:dev", "x"},
	} {
		if err := run(arguments); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", arguments, err, want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an archive was left behind")
	}
}

// A release is the layout of all programs that exist, each for every
// architecture.
func TestAReleaseHasEveryArchitecture(t *testing.T) {
	t.Chdir(t.TempDir())
	for file, text := range map[string]string{
		"go.mod":             "module example.test/x\n\ngo 1.26.0\n",
		"cmd/sluice/main.go": "package main\n\nfunc main() {}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run([]string{"-version", "v9", "-out", "out"}); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath("out/oci")
	if err != nil {
		t.Fatal(err)
	}
	all, err := index.IndexManifest()
	if err != nil || len(all.Manifests) != 1 || all.Manifests[0].Annotations["io.containerd.image.name"] != repository+"sluice:v9" {
		t.Fatalf("got %+v, %v", all, err)
	}
	one, err := index.ImageIndex(all.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := one.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 {
		t.Fatalf("got %+v, %v", manifest, err)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		if got := manifest.Manifests[i].Platform; got == nil || got.Architecture != arch || got.OS != "linux" {
			t.Errorf("image %d is for %v, want %s", i, got, arch)
		}
		if _, err := os.Stat("out/sluice-" + arch + ".tar"); err != nil {
			t.Error(err)
		}
	}
}
