package upstream

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func mustPlay(t *testing.T, tape *tape) io.Reader {
	t.Helper()
	p, err := tape.play()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTapePlaysAgainWhatWasRead(t *testing.T) {
	tape := newTape(iotest.OneByteReader(strings.NewReader("hello")), 5)
	first := mustPlay(t, tape)
	if _, err := io.ReadFull(first, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(mustPlay(t, tape))
	if err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v, want hello", got, err)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, errSuperseded) {
		t.Errorf("the first player reads on: %v", err)
	}
	if got, _ = io.ReadAll(mustPlay(t, tape)); string(got) != "hello" {
		t.Errorf("a third time: %q, want hello", got)
	}
}

func TestTapeOverItsLimitPlaysOnce(t *testing.T) {
	tape := newTape(strings.NewReader("hello"), 4)
	if got, err := io.ReadAll(mustPlay(t, tape)); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v, want hello", got, err)
	}
	if tape.replayable() {
		t.Error("a body over the limit is said to be replayable")
	}
	if _, err := tape.play(); err == nil {
		t.Error("a body over the limit was played again")
	}
}

func TestTapeTellsAFailedSource(t *testing.T) {
	broken := errors.New("broken")
	tape := newTape(iotest.ErrReader(broken), 10)
	if _, err := io.ReadAll(mustPlay(t, tape)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if tape.replayable() || !errors.Is(tape.failure(), broken) {
		t.Error("the failure of the source is not told")
	}
}

// TestTapeReadUnderWayIsNotLost supersedes a player whose read has not come
// back yet.
func TestTapeReadUnderWayIsNotLost(t *testing.T) {
	r, w := io.Pipe()
	tape := newTape(r, 100)
	first := mustPlay(t, tape)
	result := make(chan error, 1)
	go func() {
		_, err := first.Read(make([]byte, 10))
		result <- err
	}()
	for begun := false; !begun; {
		tape.mu.Lock()
		begun = tape.busy
		tape.mu.Unlock()
	}
	second := mustPlay(t, tape)
	go func() {
		_, _ = w.Write([]byte("hello"))
		w.Close()
	}()
	if got, err := io.ReadAll(second); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v, want hello", got, err)
	}
	if err := <-result; !errors.Is(err, errSuperseded) {
		t.Errorf("the first player got %v", err)
	}
}
