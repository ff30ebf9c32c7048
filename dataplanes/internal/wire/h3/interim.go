package h3

import (
	"net/http"
	"net/textproto"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// interim sends the responses before the final one, on whichever goroutine.
type interim struct {
	w     http.ResponseWriter
	stall *stall

	mu sync.Mutex
	// begun is true once the final response has begun; broken where the client has
	// taken a part of one before it, and no more.
	begun, broken bool
}

var _ exchange.Interim = (*interim)(nil)

// Send sends a response before the final one.
func (i *interim) Send(status int, header exchange.Header) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.begun || i.broken {
		return
	}
	h := i.w.Header()
	for _, f := range header {
		if field.KindOf(f.Name) == field.Plain && field.IsToken(f.Name) && field.ValidValue(f.Value) {
			name := textproto.CanonicalMIMEHeaderKey(f.Name)
			h[name] = append(h[name], f.Value)
		}
	}
	i.stall.begin(&i.stall.writes)
	i.w.WriteHeader(status)
	i.broken = i.stall.done(&i.stall.writes, 0)
	clear(h)
}

// ask has a client send its body that waits for 100 (Continue).
func (i *interim) ask() { i.Send(http.StatusContinue, nil) }

// end is false where nothing more can be sent after what was.
func (i *interim) end() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.begun = true
	return !i.broken
}
