package delivery_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/ir"
)

// stateFile is where a pod keeps its last good set.
func stateFile(dir string) string { return filepath.Join(dir, "last-good-set") }

// keptVersion is the version of the set that is kept; empty for none.
func keptVersion(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return ""
	}
	_, after, found := bytes.Cut(data, []byte("\x07Version"))
	if !found {
		t.Fatal("the file names no version")
	}
	return string(after[1 : 1+int(after[0])])
}

// visit asks with a session's cookie; fresh is the one that the answer sets.
func visit(t *testing.T, port uint16, cookie string) (text, fresh string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/0", port), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "sticky", Value: cookie})
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	for _, c := range answer.Cookies() {
		fresh = c.Value
	}
	return string(body), fresh
}

// TestSpoiltStateFile: whatever is in the file, the pod starts, takes nothing of
// it, and has its set from the operator.
func TestSpoiltStateFile(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	port := freePort(t)
	o.Set(server.Set{Unit: unit(port, nowhere), Version: "v1"})
	c.pod("a", gateway)
	dir := t.TempDir()
	p := c.runPodIn(t, dir, "a", nil, o.addr)
	wait.For(t, "the set is kept", func() bool { return keptVersion(t, dir) == "v1" })
	p.stop()
	o.stop()
	info, err := os.Stat(stateFile(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
	good, err := os.ReadFile(stateFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	spoilt := map[string][]byte{
		"empty": {}, "torn": good[:len(good)/2], "noise": []byte("hello"), "one bit": bytes.Replace(good, []byte("10.0.0.1"), []byte("10.0.0.2"), 1),
		"another zone": bytes.Replace(good, []byte("zone-a"), []byte("zone-b"), 1), "longer": append(bytes.Clone(good), 0), "only its head": good[:20],
	}
	for name, data := range spoilt {
		t.Run(name, func(t *testing.T) {
			write(t, stateFile(dir), data)
			local := &recorder{assigned: make(chan ir.Unit, 10)}
			again := c.start(t, o.addr.String(), nil)
			p := c.runPodIn(t, dir, "a", func(o *client.Options) { o.Start = local.start }, o.addr)
			again.Set(server.Set{Unit: unit(port, nowhere), Version: "v2"})
			again.Lead(1)
			again.runs("a", "v2")
			if n := len(local.assigned); n != 1 {
				t.Errorf("the proxy was given %d sets: what a spoilt file holds serves", n)
			}
			p.stop()
			again.stop()
		})
	}
	t.Run("another unit's", func(t *testing.T) {
		write(t, stateFile(dir), good)
		local := &recorder{assigned: make(chan ir.Unit, 10)}
		p := c.runPodIn(t, dir, "a", func(o *client.Options) {
			o.Start, o.Unit.Name = local.start, "other"
		}, o.addr)
		p.stop()
		if len(local.assigned) > 0 {
			t.Error("another unit's set serves")
		}
	})
}

// TestNothingIsLeftBehind: a write that did not end leaves no second file with
// keys once the next one is done.
func TestNothingIsLeftBehind(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	o.Set(server.Set{Unit: unit(freePort(t), nowhere), Version: "v1"})
	c.pod("a", gateway)
	dir := t.TempDir()
	write(t, stateFile(dir)+"-123", []byte("half"))
	c.runPodIn(t, dir, "a", nil, o.addr)
	wait.For(t, "the set is kept", func() bool { return keptVersion(t, dir) == "v1" })
	var left []string
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
		if strings.HasPrefix(filepath.Base(path), "last-good-set-") {
			left = append(left, path)
		}
		return nil
	})
	if len(left) > 0 {
		t.Errorf("there is %v", left)
	}
}
