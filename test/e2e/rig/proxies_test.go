package rig

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A program that is bound to folders of this machine is not what the image has.
func TestWhatStandsForAnImage(t *testing.T) {
	r := &Rig{Root: t.TempDir()}
	for _, p := range proxies {
		t.Setenv(p.variable, "")
	}
	if able := r.Dataplanes(); !slices.Equal(able, []string{"go"}) {
		t.Errorf("%v can run without a program of any", able)
	}
	bin := filepath.Join(r.Root, ".bin")
	put(t, filepath.Join(bin, "envoy"))
	put(t, filepath.Join(bin, "haproxy"))
	unpacked := filepath.Join(bin, "haproxy.d", "usr", "sbin", "haproxy")
	put(t, unpacked)
	if !r.Has("envoy") || !r.Has("haproxy") || r.Has("other") {
		t.Errorf("%v can run", r.Dataplanes())
	}
	for dataplane, want := range map[string]string{
		"envoy": "-folder /usr/local/bin -libraries " + filepath.Join(bin, "envoy"),
		"haproxy": "-folder /usr/local/sbin -libraries -user haproxy:99 -root " + filepath.Join(bin, "haproxy.d") +
			" " + unpacked,
	} {
		i := slices.IndexFunc(proxies, func(p proxy) bool { return p.dataplane == dataplane })
		if got := strings.Join(r.packing(proxies[i], "out.tar"), " "); !strings.HasSuffix(got, want) {
			t.Errorf("%s is packed by %q, want %q at the end", dataplane, got, want)
		}
	}
	t.Setenv("SLUICE_HAPROXY", filepath.Join(bin, "none"))
	if r.Has("haproxy") {
		t.Error("the program that is named is not there")
	}
}

func put(t *testing.T, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("ELF"), 0o600); err != nil {
		t.Fatal(err)
	}
}
