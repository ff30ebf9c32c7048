package haproxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func config(t *testing.T, line string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := "defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\nfrontend f\n  bind 127.0.0.1:8080\n" + line + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestHAProxySaysWhatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		"  http-request return status 200": "",
		"  http-request refuse":            "'http-request' expects",
		"  http-request deny if TRUE\n  tcp-request content accept\n  use_backend": "use_backend",
		// A warning: rules of requests come after rules of connections.
		"  http-request deny\n  tcp-request connection accept": "will still be processed before",
	} {
		err := Check(t, config(t, line))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func TestAnOldHAProxyDoesNotDo(t *testing.T) {
	dir := t.TempDir()
	for said, want := range map[string]bool{
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/": false,
		"HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/": true,
		"HAProxy version 10.1-dev3": true,
		"Apache 3.0":                false,
	} {
		path := filepath.Join(dir, "haproxy")
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+said+"'\n"), 0o700); err != nil { //nolint:gosec // A program of the test's own.
			t.Fatal(err)
		}
		if got := fits(path); got != want {
			t.Errorf("%q will do: %t, want %t", said, got, want)
		}
	}
	if fits(filepath.Join(dir, "none")) {
		t.Error("none will do")
	}
}
