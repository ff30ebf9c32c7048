package h2

import (
	"io"
	"net/http"
	"runtime"
	"testing"

	"golang.org/x/net/http2"
)

// busy counts goroutines, but for those that wait for work.
func busy() int {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	return runtime.NumGoroutine() - len(pool.idle)
}

// TestAbortsLeaveNothing cuts exchanges off in each state that they can be in,
// and counts what is left of them.
func TestAbortsLeaveNothing(t *testing.T) {
	const each = 100
	hung := make(chan struct{}, 1)
	back := poolTo(t, h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			hung <- struct{}{}
			<-r.Context().Done()
		case "/stream":
			w.Write(make([]byte, 1<<10))
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/large":
			w.Write(make([]byte, 1<<20))
		case "/abort":
			w.Write(make([]byte, 1<<10))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/early":
			w.WriteHeader(403)
		case "/read":
			hung <- struct{}{}
			io.Copy(io.Discard, r.Body)
		}
	}))
	r := newRig(t, back.carry)
	r.server.Limits.Patience = 1 << 30
	r.start()
	p := r.dial().hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100_000})
	p.framer.WriteWindowUpdate(0, 1<<30)
	p.get(1)
	p.wantEnd(1)
	id := uint32(1)
	begin := func(method, path string, end bool) {
		id += 2
		p.head(id, end, ":method", method, ":scheme", "http", ":path", path, ":authority", "x.example")
	}
	cut := func() { p.framer.WriteRSTStream(id, http2.ErrCodeCancel) }
	before := busy()
	for name, abort := range map[string]func(){
		"before the answer":  func() { begin("GET", "/hang", true); <-hung; cut() },
		"before the backend": func() { begin("GET", "/stream", true); cut() },
		"in the request": func() {
			begin("POST", "/read", false)
			p.framer.WriteData(id, false, make([]byte, 2000))
			<-hung
			cut()
		},
		"in an unread request": func() {
			begin("POST", "/hang", false)
			p.framer.WriteData(id, false, make([]byte, 2000))
			<-hung
			cut()
		},
		"in the answer":        func() { begin("GET", "/stream", true); p.wantHead(id); cut() },
		"with a closed window": func() { begin("GET", "/large", true); p.wantHead(id); p.content(100_000, false); cut() },
		"by the backend":       func() { begin("GET", "/abort", true); p.wantEnd(id) },
		"answered early": func() {
			begin("POST", "/early", false)
			p.wantEnd(id)
			p.framer.WriteData(id, true, make([]byte, 2000))
		},
		"refused with a body": func() { begin("POST", "bad", false); p.wantEnd(id); p.framer.WriteData(id, true, make([]byte, 2000)) },
		"shorter than it says": func() {
			id += 2
			p.post(id, "content-length", "9")
			p.framer.WriteData(id, true, []byte("short"))
			p.wantEnd(id)
		},
		"its window is overdrawn": func() {
			begin("POST", "/hang", false)
			<-hung
			p.framer.WriteWindowUpdate(id, mostWindow)
			p.wantEnd(id)
		},
	} {
		for range each {
			abort()
		}
		t.Log(name)
		waitFor(t, func() bool { return r.nothingLeft() && back.nothingLeft() })
		waitFor(t, func() bool { return busy() <= before+2 })
	}
}

// wantHead reads up to the head of a stream's answer.
func (p *rawPeer) wantHead(id uint32) {
	p.t.Helper()
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		p.learn(f)
		if h, ok := f.(*http2.HeadersFrame); ok && h.StreamID == id {
			return
		}
	}
}

// wantEnd reads up to the end of a stream, whatever kind of end.
func (p *rawPeer) wantEnd(id uint32) {
	p.t.Helper()
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		p.learn(f)
		if f.Header().StreamID != id {
			continue
		}
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			return
		case *http2.DataFrame:
			if f.StreamEnded() {
				return
			}
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				return
			}
		}
	}
}

// learn keeps up with the compression of heads that nobody looks at.
func (p *rawPeer) learn(f http2.Frame) {
	if h, ok := f.(*http2.HeadersFrame); ok {
		p.dec.Write(h.HeaderBlockFragment())
	}
}

// nothingLeft says whether no exchange is under way, and all of the connections'
// windows were given back.
func (r *rig) nothingLeft() bool {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for s := range r.server.sessions {
		s.mu.Lock()
		left := s.active > 0 || len(s.streams) > 0 || s.recvWindow+s.unreported != int64(s.limits.ConnWindow)
		s.mu.Unlock()
		if left {
			return false
		}
	}
	return true
}

func (p *Pool) nothingLeft() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.conns {
		b.mu.Lock()
		left := b.busy > 0 || len(b.streams) > 0 || b.recvWindow+b.unreported != int64(b.limits.ConnWindow)
		b.mu.Unlock()
		if left {
			return false
		}
	}
	return true
}
