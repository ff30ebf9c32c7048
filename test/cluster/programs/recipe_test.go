package programs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The version that the programs say they have is the one that they are built of.
func TestVersionsAgree(t *testing.T) {
	data, err := os.ReadFile("kube/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "require k8s.io/kubernetes v" + kubernetes + "\n"; !strings.Contains(string(data), want) {
		t.Errorf("kube/go.mod does not have %q", want)
	}
	parts := regexp.MustCompile(`=> k8s\.io/\S+ (\S+)`).FindAllStringSubmatch(string(data), -1)
	if len(parts) < 30 {
		t.Errorf("kube/go.mod replaces %d parts of Kubernetes", len(parts))
	}
	for _, part := range parts {
		if want := "v0." + strings.TrimPrefix(kubernetes, "1."); part[1] != want {
			t.Errorf("%s, want %s", part[0], want)
		}
	}
}

// What is built by name is built of an exact version, what is built in a module
// of one that is there.
func TestEveryBuildHasItsVersion(t *testing.T) {
	exact := regexp.MustCompile(`@v\d+\.\d+\.\d+$`)
	for _, b := range recipe() {
		for _, p := range b.packages {
			if b.module == "" && !exact.MatchString(p) {
				t.Errorf("%s: %s has no exact version", b.name, p)
			}
		}
		if b.module != "" {
			if _, err := os.Stat(filepath.Join(b.module, "go.sum")); err != nil {
				t.Error(err)
			}
		}
		if arguments := b.arguments("/bin"); !slices.Contains(arguments, "-trimpath") {
			t.Errorf("%s: %q", b.name, arguments)
		}
	}
}

func TestTheKeyIsOfEverythingThatDecides(t *testing.T) {
	copied := t.TempDir()
	for _, module := range []string{"kube", "dns", "echo"} {
		if err := os.CopyFS(filepath.Join(copied, "programs", module), os.DirFS(module)); err != nil {
			t.Fatal(err)
		}
	}
	first, err := key(copied)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := key(copied); err != nil || again != first {
		t.Errorf("the key changed from %s to %s without a reason, %v", first, again, err)
	}
	for _, file := range []string{"kube/go.mod", "kube/go.sum", "dns/main.go", "echo/go.mod"} {
		name := filepath.Join(copied, "programs", file)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(data, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := key(copied)
		if err != nil || next == first {
			t.Errorf("a change of %s does not change the key, %v", file, err)
		}
		first = next
	}
	if _, err := key(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no checkout of test/cluster") {
		t.Errorf("of an empty folder: %v", err)
	}
}

func TestOnceDoesAgainWhatFailed(t *testing.T) {
	b := &builder{root: t.TempDir(), progress: t.Output()}
	calls := 0
	for _, result := range []error{os.ErrInvalid, nil, nil} {
		_ = b.once("a thing", func() error {
			calls++
			return result
		})
	}
	if calls != 2 {
		t.Errorf("done %d times, want twice: it failed once and succeeded once", calls)
	}
}

func TestTheCacheIsWhereTheEnvironmentSays(t *testing.T) {
	t.Setenv("SLUICE_CLUSTER_CACHE", "/somewhere/else")
	if dir, err := Cache(); err != nil || dir != "/somewhere/else" {
		t.Errorf("got %s, %v", dir, err)
	}
	t.Setenv("SLUICE_CLUSTER_CACHE", "")
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if _, err := Cache(); err == nil || !strings.Contains(err.Error(), "SLUICE_CLUSTER_CACHE") {
		t.Errorf("without a home: %v", err)
	}
}
