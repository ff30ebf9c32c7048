package park

import (
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// Sleeper is who is told about a parked connection.
type Sleeper interface {
	// Wake is called at most once, when the connection can be read or has ended. It
	// may be called before Watch has returned, and once more than is needed, never
	// less. It must return soon, as all that is parked waits for it.
	Wake()
}

// Ticket names a place in a lot. The zero Ticket is none. A number is never used
// again, so that news of a connection that has left cannot wake another that got
// its descriptor.
type Ticket uint64

// Lot is where connections are parked.
type Lot struct {
	mu       sync.Mutex
	last     Ticket
	sleepers map[Ticket]Sleeper
	poller   poller
}

// Open returns the one lot of the process, or nil where the platform has none.
var Open = sync.OnceValue(func() *Lot {
	l := &Lot{sleepers: map[Ticket]Sleeper{}}
	if l.poller.open() != nil {
		return nil
	}
	go l.poller.run(l.wake)
	return l
})

// Enter takes a place. Nobody is woken before Watch.
func (l *Lot) Enter(s Sleeper) Ticket {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.sleepers[l.last] = s
	return l.last
}

// Watch has the sleeper of a ticket woken once there is something to read on a
// connection. What came before the call counts. After an error nobody is woken
// and the place is free.
func (l *Lot) Watch(t Ticket, c *rawconn.Conn) error {
	err := l.poller.watch(uint64(t), c)
	if err != nil {
		l.Leave(t)
	}
	return err
}

// Leave gives a place back. Its sleeper may be being woken.
func (l *Lot) Leave(t Ticket) { l.take(t) }

// Parked returns the number of places that are taken.
func (l *Lot) Parked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sleepers)
}

func (l *Lot) take(t Ticket) Sleeper {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sleepers[t]
	delete(l.sleepers, t)
	return s
}

func (l *Lot) wake(t uint64) {
	if s := l.take(Ticket(t)); s != nil {
		s.Wake()
	}
}
