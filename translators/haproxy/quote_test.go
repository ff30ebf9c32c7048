package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mostPieces bounds how many texts one run of HAProxy reads.
const mostPieces = 100

// FuzzQuote has HAProxy read texts as arguments and as formats, and say what it has
// read: what goes in comes out, as one argument, and nothing else is read. No text
// holds NUL, which is what they are told apart by here.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{
		"", " ", `"`, `'`, `\`, "#", "$HOME", "${HOME}", "${HOME[*]}", "$1", "%", "%%", "%[src]", "%[", "%]", "%{+Q}o", "%ci", "%o", "]", "a b", " if ", "if { always_true }",
		"\n", "\r", "\r\n  stats timeout 1s\n", "\t", "\x01", "\x7f", "\xff", "\xc3\xbc", `\n`, `\x41`, `\"`, `\\`, `"\`, "\"\n", "a#b", "{ }", "unless x", "<<EOF", ".if", "`id`", "(),|",
		nasty, strings.Repeat("x", 4096), strings.Repeat(`"\$% `, 1000), strings.Repeat("a ", 500), strings.Repeat("%[x] ", 200),
	} {
		f.Add([]byte(seed))
	}
	f.Add([]byte(strings.Join([]string{"a", "b c", nasty, `\`, "${"}, "\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		program(t)
		texts := strings.SplitN(string(data), "\x00", mostPieces)
		texts[len(texts)-1] = strings.ReplaceAll(texts[len(texts)-1], "\x00", "")
		total := 0
		for _, text := range texts {
			total += len(text)
		}
		if total > 12000 {
			t.Skip("longer than what HAProxy's socket shows at once")
		}
		readBack(t, texts)
	})
}

// readBack runs HAProxy, and compares what it has read.
func readBack(t *testing.T, texts []string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("global\n  stats socket unix@admin.sock mode 600 level admin\n")
	for i, text := range texts {
		if text != "" {
			fmt.Fprintf(&b, "  setenv TEXT%d %s\n", i, quote(text))
		}
		fmt.Fprintf(&b, "  set-var-fmt proc.format%d %s\n", i, format(text))
		fmt.Fprintf(&b, "  set-var-fmt proc.both%d %s\n", i, formatted(text, "str(x)"))
		// What is no text shows as a dot.
		fmt.Fprintf(&b, "  set-var proc.format%[1]d var(proc.format%[1]d),hex\n  set-var proc.both%[1]d var(proc.both%[1]d),hex\n", i)
	}
	b.WriteString("  setenv LAST last\ndefaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nbackend b\n")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "haproxy.cfg"), b.String())
	socket := start(t, dir, "-f", "haproxy.cfg")
	for i, text := range texts {
		for command, want := range map[string]string{
			fmt.Sprintf("get var proc.format%d", i): fmt.Sprintf("proc.format%d: type=str value=<%X>", i, text),
			fmt.Sprintf("get var proc.both%d", i):   fmt.Sprintf("proc.both%d: type=str value=<%X>", i, text+"x"),
			fmt.Sprintf("show env TEXT%d", i):       fmt.Sprintf("TEXT%d=%s", i, text),
		} {
			if text == "" && strings.HasPrefix(command, "show") {
				continue
			}
			if got := told(t, socket, command); got != want+"\n\n" {
				t.Errorf("of %s HAProxy read %s, want %s", strconv.Quote(text), strconv.Quote(got), strconv.Quote(want))
			}
		}
	}
	if got := told(t, socket, "show env LAST"); got != "LAST=last\n\n" {
		t.Errorf("what stands behind the texts was read as %q", got)
	}
}

// start runs HAProxy in a folder, and returns its socket once it answers.
func start(t *testing.T, dir string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program(t), append([]string{"-db", "-C", dir}, arguments...)...) //nolint:gosec // Whoever runs the tests says which.
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	socket := filepath.Join(dir, AdminSocket)
	for {
		if c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket); err == nil {
			_ = c.Close()
			return socket
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(filepath.Join(dir, "haproxy.cfg")) //nolint:gosec // The test has written it.
			t.Fatalf("HAProxy has ended: %s\n%s", said.String(), text)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// told is what HAProxy says to a command.
func told(t *testing.T, socket, command string) string {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
