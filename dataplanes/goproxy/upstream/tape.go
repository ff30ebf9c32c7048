package upstream

import (
	"errors"
	"io"
	"sync"
)

// maxReplay bounds what is kept of a body for another try; a longer body is
// sent once.
const maxReplay = 64 << 10

var errSuperseded = errors.New("another try has taken over the body")

// tape is a request's body, played to one try after another. What a try has
// read is kept, up to a limit, for the next one.
type tape struct {
	mu     sync.Mutex
	turn   sync.Cond
	source io.Reader
	limit  int
	kept   []byte
	// lost is true once more was read than was kept.
	lost bool
	// end is what the source ended with.
	end    error
	busy   bool
	player *player
}

func newTape(source io.Reader, limit int) *tape {
	t := &tape{source: source, limit: limit}
	t.turn.L = &t.mu
	return t
}

// replayable says whether a new player would see the whole body.
func (t *tape) replayable() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.lost && t.sourceError() == nil
}

// failure returns what went wrong with the source; the end of it is no failure.
func (t *tape) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sourceError()
}

func (t *tape) sourceError() error {
	if errors.Is(t.end, io.EOF) {
		return nil
	}
	return t.end
}

// play begins anew and supersedes the player before.
func (t *tape) play() (io.ReadCloser, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost {
		return nil, errors.New("the body is too long to be sent again")
	}
	t.player = &player{tape: t}
	t.turn.Broadcast()
	return t.player, nil
}

// player reads a tape from its beginning.
type player struct {
	tape *tape
	at   int
}

var _ io.ReadCloser = (*player)(nil)

// Read plays what was kept, then reads on. A read under way for a player that
// was superseded ends up on the tape and not with that player.
func (p *player) Read(b []byte) (int, error) {
	t := p.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.player != p:
			return 0, errSuperseded
		case !t.lost && p.at < len(t.kept):
			n := copy(b, t.kept[p.at:])
			p.at += n
			return n, nil
		case t.end != nil:
			return 0, t.end
		case t.busy:
			t.turn.Wait()
		default:
			return p.advance(b)
		}
	}
}

// advance reads from the source with the lock given away meanwhile.
func (p *player) advance(b []byte) (int, error) {
	t := p.tape
	t.busy = true
	t.mu.Unlock()
	n, err := t.source.Read(b)
	t.mu.Lock()
	t.busy = false
	t.end = err
	t.keep(b[:n])
	t.turn.Broadcast()
	if t.player != p {
		return 0, errSuperseded
	}
	p.at += n
	return n, err
}

func (t *tape) keep(b []byte) {
	if len(b) == 0 || t.lost {
		return
	}
	if len(t.kept)+len(b) > t.limit {
		t.lost, t.kept = true, nil
		return
	}
	t.kept = append(t.kept, b...)
}

// Close leaves the source open: another try may want it, and whoever made the
// request closes it.
func (p *player) Close() error { return nil }
