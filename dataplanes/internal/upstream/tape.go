package upstream

import (
	"errors"
	"io"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// maxReplay bounds what is kept of a body for another try; a longer body is
// sent once.
const maxReplay = 64 << 10

var errSuperseded = errors.New("another try has taken over the body")

// tape is a request whose body is played to one try after another. What a try
// has read is kept, up to a limit, for the next one.
//
// The source is read by a goroutine of the tape's own: a try that is given up
// does not wait for a client that sends nothing.
type tape struct {
	mu     sync.Mutex
	turn   sync.Cond
	source *exchange.Request
	limit  int
	// request is source with a player for its body.
	request exchange.Request
	// first is the first player, and nearly always the last.
	first player
	// room is where what is kept is taken from, held how much is.
	room *Tapes
	held int
	// kept is what was read from base on; base is above 0 once the beginning was
	// lost.
	kept  []byte
	base  int
	piece []byte
	// lost is true once more was read than is kept.
	lost bool
	// end is what the source ended with.
	end    error
	busy   bool
	player *player
}

// pieceSize is how much of a body is read at once.
const pieceSize = 16 << 10

func newTape(source *exchange.Request, limit int) *tape {
	t := &tape{source: source, limit: limit, request: *source}
	t.turn.L = &t.mu
	return t
}

// replayable says whether a new player would see the whole body.
func (t *tape) replayable() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.lost && t.sourceError() == nil
}

// failure returns what went wrong with the source; the end of it is no failure.
func (t *tape) failure() error {
	if t == nil {
		return nil
	}
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

// play returns the request with its body from the beginning on, and supersedes
// the player before.
func (t *tape) play() (*exchange.Request, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost {
		return nil, errors.New("the body is too long to be sent again")
	}
	if t.player = &t.first; t.first.tape != nil {
		t.player = &player{}
	}
	t.player.tape = t
	t.request.Body = t.player
	t.turn.Broadcast()
	return &t.request, nil
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
		switch kept := t.kept[min(max(p.at-t.base, 0), len(t.kept)):]; {
		case t.player != p:
			return 0, errSuperseded
		case len(kept) > 0:
			n := copy(b, kept)
			p.at += n
			return n, nil
		case t.end != nil:
			return 0, t.end
		case t.busy:
			t.turn.Wait()
		default:
			t.advance()
		}
	}
}

// Whole returns the body where nothing of it needs to be read: it is still there
// for the next try then.
func (p *player) Whole() ([]byte, bool) {
	t := p.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.player != p || t.busy || t.end != nil || len(t.kept) > 0 || t.lost {
		return nil, false
	}
	return t.source.Whole()
}

// advance has the next piece read.
func (t *tape) advance() {
	if t.lost {
		// All that is kept was played.
		t.base, t.kept = t.base+len(t.kept), t.kept[:0]
	}
	if t.piece == nil {
		t.piece = make([]byte, pieceSize)
	}
	t.busy = true
	// When the goroutine begins, the exchange may be over, and the request another's.
	body := t.source.Body
	go func() {
		n, err := body.Read(t.piece)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.busy, t.end = false, err
		t.kept = append(t.kept, t.piece[:n]...)
		t.keep(n)
		t.turn.Broadcast()
	}()
}

// keep takes room for what came, or loses the beginning of the body.
func (t *tape) keep(n int) {
	switch {
	case t.lost:
	case len(t.kept) > t.limit || !t.room.take(n):
		t.lose()
	default:
		t.held += n
	}
}

func (t *tape) lose() {
	t.lost = true
	t.room.give(t.held)
	t.held = 0
}

// settle says that no other try will come: what is kept is what the last one has
// not read yet.
func (t *tape) settle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lose()
}

// Close ends the player, and leaves the source open: another try may want it,
// and whoever made the request closes it.
func (p *player) Close() error {
	t := p.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.player == p {
		t.player = nil
		t.turn.Broadcast()
	}
	return nil
}
