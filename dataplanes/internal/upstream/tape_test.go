package upstream

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// asking is a request with a body of unknown length.
func asking(body io.Reader) *exchange.Request {
	return &exchange.Request{Body: io.NopCloser(body), Length: -1}
}

func mustPlay(t *testing.T, tape *tape) io.Reader {
	t.Helper()
	r, err := tape.play()
	if err != nil {
		t.Fatal(err)
	}
	return r.Body
}

func TestTapePlaysAgainWhatWasRead(t *testing.T) {
	tape := newTape(asking(iotest.OneByteReader(strings.NewReader("hello"))), 5)
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
	tape := newTape(asking(strings.NewReader("hello")), 4)
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
	tape := newTape(asking(iotest.ErrReader(broken)), 10)
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
	tape := newTape(asking(r), 100)
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

// wholeBody is a body that has come whole.
type wholeBody struct{ io.Reader }

func (wholeBody) Close() error          { return nil }
func (wholeBody) Whole() ([]byte, bool) { return []byte("hello"), true }

// TestTapeHandsOutWhatIsWhole has a body that need not be read to be sent.
func TestTapeHandsOutWhatIsWhole(t *testing.T) {
	tape := newTape(&exchange.Request{Body: wholeBody{strings.NewReader("hello")}, Length: 5}, 10)
	for range 2 {
		r, err := tape.play()
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Whole(); !ok || string(got) != "hello" {
			t.Errorf("got %q, %t, want hello", got, ok)
		}
	}
	r, err := tape.play()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r.Body, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Whole(); ok {
		t.Error("a body of which something was read is said to be whole")
	}
	if got, err := io.ReadAll(mustPlay(t, tape)); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v, want hello", got, err)
	}
}
