package relay_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/relay"
)

const patience = 20 * time.Second

// pair returns the two ends of a connection over loopback.
func pair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{dialed, accepted} {
		_ = c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { c.Close() })
	}
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// relayed starts a job and returns the far ends of its two connections.
func relayed(t testing.TB, idle time.Duration) (client, backend *net.TCPConn, result <-chan relay.Result) {
	t.Helper()
	client, clientSide := pair(t)
	backend, backendSide := pair(t)
	done := make(chan relay.Result, 1)
	go func() { done <- relay.Run(relay.Job{Client: clientSide, Backend: backendSide, Idle: idle}) }()
	return client, backend, done
}

func await(t *testing.T, result <-chan relay.Result) relay.Result {
	t.Helper()
	select {
	case r := <-result:
		return r
	case <-time.After(patience):
		t.Fatal("the job never ended")
		return relay.Result{}
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	client, backend, result := relayed(t, 0)
	const size = 32 << 20
	up, down := random(size, 1), random(size+1, 2)
	type got struct {
		sum [32]byte
		n   int64
	}
	exchange := func(c *net.TCPConn, send []byte, into chan<- got) {
		go func() {
			_, _ = c.Write(send)
			_ = c.CloseWrite()
		}()
		h := sha256.New()
		n, _ := io.Copy(h, c)
		into <- got{[32]byte(h.Sum(nil)), n}
	}
	atClient, atBackend := make(chan got, 1), make(chan got, 1)
	go exchange(client, up, atClient)
	go exchange(backend, down, atBackend)
	if g := <-atBackend; g.n != size || g.sum != sha256.Sum256(up) {
		t.Errorf("the backend got %d bytes, or others, want %d", g.n, size)
	}
	if g := <-atClient; g.n != size+1 || g.sum != sha256.Sum256(down) {
		t.Errorf("the client got %d bytes, or others, want %d", g.n, size+1)
	}
	if r := await(t, result); r != (relay.Result{ToBackend: size, ToClient: size + 1}) {
		t.Errorf("result %+v", r)
	}
}

func random(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

func TestHalfCloseIsPassedOn(t *testing.T) {
	for name, swap := range map[string]bool{"the client first": false, "the backend first": true} {
		t.Run(name, func(t *testing.T) {
			first, second, result := relayed(t, 0)
			if swap {
				first, second = second, first
			}
			_, _ = first.Write([]byte("question"))
			_ = first.CloseWrite()
			if got, err := io.ReadAll(second); string(got) != "question" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			_, _ = second.Write([]byte("answer"))
			_ = second.CloseWrite()
			if got, err := io.ReadAll(first); string(got) != "answer" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			if r := await(t, result); r.End != relay.Done || r.ToBackend+r.ToClient != 14 {
				t.Errorf("result %+v", r)
			}
		})
	}
}

func TestResetIsPassedOn(t *testing.T) {
	for want, swap := range map[relay.End]bool{relay.ClientGone: false, relay.BackendGone: true} {
		first, second, result := relayed(t, 0)
		if swap {
			first, second = second, first
		}
		_, _ = first.Write([]byte("half"))
		page := make([]byte, 4)
		if _, err := io.ReadFull(second, page); err != nil {
			t.Fatal(err)
		}
		_ = first.SetLinger(0)
		first.Close()
		if _, err := second.Read(page); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: the other side reads %v, want a reset", want, err)
		}
		if r := await(t, result); r.End != want {
			t.Errorf("result %+v, want %s", r, want)
		}
	}
}

func TestIdleEnds(t *testing.T) {
	client, backend, result := relayed(t, 40*time.Millisecond)
	if r := await(t, result); r.End != relay.Idle {
		t.Errorf("result %+v", r)
	}
	for _, c := range []*net.TCPConn{client, backend} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is still open")
		}
	}
}

func TestOneBusyDirectionIsNotIdle(t *testing.T) {
	const idle = 200 * time.Millisecond
	client, backend, result := relayed(t, idle)
	page := make([]byte, 1)
	tick := time.NewTicker(idle / 20)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < 3*idle; <-tick.C {
		if _, err := client.Write(page); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(backend, page); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	backend.Close()
	if r := await(t, result); r.ToBackend == 0 {
		t.Errorf("result %+v", r)
	}
}

func TestPeerThatReadsNothingIsIdle(t *testing.T) {
	client, _, result := relayed(t, 60*time.Millisecond)
	go func() {
		for page := make([]byte, 1<<20); ; {
			if _, err := client.Write(page); err != nil {
				return
			}
		}
	}()
	if r := await(t, result); r.End != relay.Idle {
		t.Errorf("result %+v, want idle", r)
	}
}

func TestMovedTellsEveryByte(t *testing.T) {
	client, clientSide := pair(t)
	backend, backendSide := pair(t)
	var up, down atomic.Int64
	done := make(chan relay.Result, 1)
	go func() {
		done <- relay.Run(relay.Job{Client: clientSide, Backend: backendSide, Idle: time.Minute, Moved: func(d relay.Direction, n int64) {
			if d == relay.ToBackend {
				up.Add(n)
				return
			}
			down.Add(n)
		}})
	}()
	go func() { _, _ = io.Copy(backend, backend); _ = backend.CloseWrite() }()
	sent := random(3<<20, 3)
	go func() { _, _ = client.Write(sent); _ = client.CloseWrite() }()
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	await(t, done)
	if up.Load() != int64(len(sent)) || down.Load() != int64(len(sent)) {
		t.Errorf("told of %d and %d bytes, want %d", up.Load(), down.Load(), len(sent))
	}
}

// The end of a stream that came together with its last bytes is passed on.
func TestEndBehindBytesIsPassedOn(t *testing.T) {
	client, clientSide := pair(t)
	backend, backendSide := pair(t)
	_, _ = client.Write([]byte("question"))
	_ = client.CloseWrite()
	_, _ = backend.Write([]byte("answer"))
	_ = backend.CloseWrite()
	done := make(chan relay.Result, 1)
	go func() { done <- relay.Run(relay.Job{Client: clientSide, Backend: backendSide}) }()
	if r := await(t, done); r != (relay.Result{ToBackend: 8, ToClient: 6}) {
		t.Errorf("result %+v", r)
	}
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A job can be cut while each side waits for the other to take what was read.
func TestCutOfAFullJob(t *testing.T) {
	client, clientSide := pair(t)
	backend, backendSide := pair(t)
	job := relay.Job{Client: clientSide, Backend: backendSide}
	done := make(chan relay.Result, 1)
	go func() { done <- relay.Run(job) }()
	full := make(chan struct{}, 2)
	for _, c := range []*net.TCPConn{client, backend} {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		go func() {
			for page := make([]byte, 64<<10); ; {
				if _, err := c.Write(page); err != nil {
					full <- struct{}{}
					return
				}
			}
		}()
	}
	<-full
	<-full
	job.Cut()
	await(t, done)
}
