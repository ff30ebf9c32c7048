package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// run runs go test, and returns its exit code.
func run(file string, args []string, to io.Writer) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...) //nolint:gosec // It is what this program is for.
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		return 1
	}
	t := newTally(to)
	err = t.read(out)
	err = errors.Join(err, keep(file, t.skipped))
	report(to, t.skipped)
	if cmd.Wait() != nil {
		return max(1, cmd.ProcessState.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		return 1
	}
	return 0
}

// keep writes what was skipped to the end of a file.
func keep(path string, skipped []skip) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // A list of tests is no secret.
	if err != nil {
		return err
	}
	for _, s := range skipped {
		_, _ = fmt.Fprintf(f, "%s\t%s\n", s.want, s.test)
	}
	return f.Close()
}

// sum reports what several runs have kept.
func sum(path string) int {
	text, err := os.ReadFile(path) //nolint:gosec // The path is the caller's.
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		return 1
	}
	var skipped []skip
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		want, test, _ := strings.Cut(lines.Text(), "\t")
		skipped = append(skipped, skip{want, test})
	}
	report(os.Stdout, skipped)
	return 0
}

// report says how many tests were skipped for want of what; nothing where none was.
func report(to io.Writer, skipped []skip) {
	var order []string
	count := map[string]int{}
	for _, s := range skipped {
		if count[s.want]++; count[s.want] == 1 {
			order = append(order, s.want)
		}
	}
	for _, want := range order {
		were := "tests were"
		if count[want] == 1 {
			were = "test was"
		}
		_, _ = fmt.Fprintf(to, "note: %d %s skipped for want of %s\n", count[want], were, want)
	}
}
