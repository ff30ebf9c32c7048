package record

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/agent/records"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// Unit reads what the HAProxy of one unit writes to LogSocket: each of its workers has
// a connection of its own.
type Unit struct {
	records  *records.Records
	listener *net.UnixListener
	ending   sync.WaitGroup

	mu     sync.Mutex
	config *haproxy.Config
	feeds  map[*feed]bool
	known  map[string]*known
	event  event
}

// known is what a row says, read once.
type known struct {
	haproxy.Led
	rule     *int
	protocol string
}

// longest bounds a line, in bytes: HAProxy's own bound, and what escapes make of it.
const longest = 256 << 10

// mostKnown bounds the rows that are kept; they come from objects, but all those of a
// year are many.
const mostKnown = 100_000

// Listen returns a reader whose lines count in metrics, and are logged where somebody
// wants a log. Dir is HAProxy's folder.
func Listen(dir string, r *records.Records) (*Unit, error) {
	path := filepath.Join(dir, haproxy.LogSocket)
	_ = os.Remove(path)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	u := newUnit(r)
	u.listener = listener
	u.ending.Go(u.accept)
	return u, nil
}

func newUnit(r *records.Records) *Unit {
	return &Unit{records: r, feeds: map[*feed]bool{}, known: map[string]*known{}, event: newEvent()}
}

// lastWords bounds the wait for what a worker has written before it ended.
const lastWords = time.Second

// Close ends the reading, once what has been written is read.
func (u *Unit) Close() {
	u.listener.Close()
	late := time.AfterFunc(lastWords, u.endFeeds)
	defer late.Stop()
	u.ending.Wait()
}

func (u *Unit) endFeeds() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for f := range u.feeds {
		f.end()
	}
}

// Use says what is in force from now on. The metrics of what has gone go with it.
func (u *Unit) Use(config *haproxy.Config) {
	u.mu.Lock()
	defer u.mu.Unlock()
	last := u.config
	u.config = config
	if last != nil && last != config {
		records.Forget(u.records.Metrics, last, config)
	}
}

func (u *Unit) accept() {
	for {
		conn, err := u.listener.AcceptUnix()
		if err != nil {
			return
		}
		f, err := newFeed(conn)
		if err != nil {
			slog.Error("what a HAProxy says of its requests cannot be read", "error", err)
			continue
		}
		u.mu.Lock()
		u.feeds[f] = true
		u.mu.Unlock()
		u.ending.Go(func() { u.read(f) })
	}
}

// read takes the lines of one worker until it ends.
func (u *Unit) read(f *feed) {
	u.scan(f)
	u.mu.Lock()
	delete(u.feeds, f)
	u.mu.Unlock()
	f.file.Close()
}

func (u *Unit) scan(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), longest)
	var l line
	for lines.Scan() {
		text := inPlace(lines.Bytes())
		if l.parse(text) {
			u.take(&l)
		} else if n := lost(text); n > 0 {
			u.records.Lost.Add(uint64(n)) //nolint:gosec // It is positive.
		}
	}
}

// take counts and logs a line.
func (u *Unit) take(l *line) {
	defer records.Survive()
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.whose(l)
	if of.Inner && l.isStream() || l.nothingCame() {
		return
	}
	e := &u.event
	e.read(l, of)
	if l.isStream() {
		u.records.Metrics.StreamMoved(e.entry.Listener, e.entry.BytesIn, e.entry.Bytes)
		u.records.Metrics.StreamRefused(admin.Stream{Listener: e.entry.Listener, Route: e.entry.Route, Reason: e.entry.Flags})
	} else {
		u.records.Metrics.Count(e.request())
		if e.entry.Flags == overloaded {
			u.records.Metrics.Shed("requests")
		}
	}
	if u.records.Log != nil && u.config != nil && u.config.Logs() {
		u.records.Log.Write(&e.entry)
	}
}

// whose returns what took a request or stream.
func (u *Unit) whose(l *line) *known {
	of := u.led(l[haproxy.LogTo])
	if of.Route != "" || of.Inner || u.config == nil || !l.isStream() {
		return of
	}
	listener, protocol := u.config.Taker(l[haproxy.LogDoor], l[haproxy.LogHost])
	return &known{Led: haproxy.Led{Listener: listener}, protocol: string(protocol)}
}

// isStream reports whether a line is of layer 4.
func (l *line) isStream() bool { return l[haproxy.LogKind] == haproxy.LogOfStream }

// nothingCame reports whether a connection has ended before its next request: that is
// how connections end.
func (l *line) nothingCame() bool {
	return !l.isStream() && l[haproxy.LogMethod] == "" && l[haproxy.LogStatus] == "0"
}

// led returns what a row says. What is kept of it is a copy: the row is a part of a line.
func (u *Unit) led(row string) *known {
	if k := u.known[row]; k != nil {
		return k
	}
	if len(u.known) >= mostKnown {
		clear(u.known)
	}
	row = strings.Clone(row)
	k := &known{Led: haproxy.ParseLed(row), protocol: "TCP"}
	if strings.HasPrefix(k.Route, "TLSRoute/") {
		k.protocol = "TLS"
	}
	if n, err := strconv.Atoi(k.Rule); err == nil {
		k.rule = &n
	}
	u.known[row] = k
	return k
}

// sections are the backends of a configuration's sections, by name.
func (u *Unit) sections() map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := map[string]string{}
	if u.config == nil {
		return all
	}
	for _, s := range u.config.Sections {
		if backend := haproxy.ParseSection(s.Name); backend != "" {
			all[s.Name] = backend
		}
	}
	return all
}
