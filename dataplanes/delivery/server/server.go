package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
)

// ErrRefused is what errors of Review and Admit wrap where the answer is no. With
// others nobody knows yet: the pod tries again soon.
var ErrRefused = errors.New("refused")

// Peer is whose token it is.
type Peer struct{ Namespace, ServiceAccount, Pod, PodUID string }

// Pod is a pod of a unit.
type Pod struct{ Namespace, Name, UID string }

// Admission is what a pod was made for, and where it runs.
type Admission struct {
	Owner      ir.Object
	Zone, Node string
}

// Options are what a server is made of. All functions are called by several
// goroutines at once.
type Options struct {
	// Certificate is that of now.
	Certificate func() (*tls.Certificate, error)
	// Review says whose a token for wire.Audience is; its error wraps ErrRefused
	// where it is nobody's. What it says counts for 10 s.
	Review func(ctx context.Context, token string) (Peer, error)
	// Admit says what a pod was made for; its error wraps ErrRefused where that is
	// nothing of ours, and tells the pod why. It is asked again while the pod is
	// connected, and must be cheap: it is bounded as the hello is.
	Admit func(context.Context, Peer) (Admission, error)
	// Report is called, in order for each pod, whenever a pod's state changes. It
	// must neither block nor call the server.
	Report func(Report)
	Log    logr.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
	// Program is the operator's version, for the log of pods.
	Program string
	// Times are for tests; zero values are the defaults.
	Times Times
}

// Times are the bounds of a stream.
type Times struct {
	// Hello bounds the wait for a pod's first message. Default: 5 s.
	Hello time.Duration
	// Answer bounds a push, from its first byte to the pod's answer. Default: 60 s.
	Answer time.Duration
	// Beat is how often a pod hears that the operator is there. Default: 3 s.
	Beat time.Duration
	// AdmitAgain is how often a connected pod is admitted anew. Default: 30 s.
	AdmitAgain time.Duration
}

func (t Times) filled() Times {
	for value, fallback := range map[*time.Duration]time.Duration{
		&t.Hello: 5 * time.Second, &t.Answer: time.Minute, &t.Beat: wire.BeatEvery, &t.AdmitAgain: 30 * time.Second,
	} {
		if *value == 0 {
			*value = fallback
		}
	}
	return t
}

// Set is what the pods of one unit are to run.
type Set struct {
	// Unit and what it holds are immutable; parts are compared by pointer.
	Unit    *ir.Unit
	Version string
	// SessionKey makes the session tokens of all pods of the unit.
	SessionKey ir.Secret
}

// Report is what is known of one pod. Each one replaces the last.
type Report struct {
	Owner     ir.Object
	Pod       Pod
	Connected bool
	// Version is the one that serves; empty where none does.
	Version string
	// Problems are what the pod objects to: in what serves, and in the set that it
	// was sent last, where that is another one.
	Problems []ir.Problem
	// Refused is true for a pod that objects to the set that it was sent last, and
	// stays with the one before.
	Refused bool
	// Unable is why the pod cannot run what it is to run, for people: its program
	// or its features are too old. Empty where it can.
	Unable string
	// Draining is true for a pod that is about to end.
	Draining bool
}

// Server is the operator's end. Make one with New.
type Server struct {
	opts    Options
	times   Times
	reviews *reviews
	counts  *counts
	said    said

	mu sync.Mutex
	// term is 0 while this operator does not lead.
	term  uint64
	units map[ir.Object]*unit
	// pods are the streams that count, one for each pod.
	pods map[string]*stream
}

// New returns a server that serves nobody yet.
func New(opts Options) *Server {
	return &Server{
		opts: opts, times: opts.Times.filled(), reviews: newReviews(opts.Review), counts: newCounts(opts.Metrics),
		said: said{last: map[string]time.Time{}}, units: map[ir.Object]*unit{}, pods: map[string]*stream{},
	}
}

// Lead begins to serve pods; before it, every stream is answered UNAVAILABLE.
// Term must be higher than that of every leader before, as the transitions of a
// Lease are: pods do not listen to a term older than they have seen, unless no
// newer one is to be found for half a minute.
func (s *Server) Lead(term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = max(term, 1)
}

// handshake bounds the wait for TLS and for HTTP/2's preface.
const handshake = 5 * time.Second

// Serve serves the listener until the context ends, and closes it. It returns
// when all streams have ended.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			MinVersion:     tls.VersionTLS13,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.opts.Certificate() },
		})),
		grpc.ForceServerCodec(wire.Codec{}),
		// A hello names up to wire.MaxParts parts.
		grpc.MaxRecvMsgSize(wire.MaxFrame/2),
		grpc.MaxSendMsgSize(wire.MaxFrame),
		grpc.MaxHeaderListSize(32<<10),
		grpc.MaxConcurrentStreams(4),
		grpc.ConnectionTimeout(handshake),
		// A pod whose node is gone is noticed within 10 s.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: time.Minute, Time: 5 * time.Second, Timeout: 4 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
	)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: wire.Service,
		Streams: []grpc.StreamDesc{{
			StreamName: wire.Stream, ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return s.serve(stream) },
		}},
	}, nil)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := server.Serve(ln); err != nil && ctx.Err() == nil {
		return fmt.Errorf("delivery: %w", err)
	}
	server.Stop()
	return nil
}

// Set says what the pods of a unit are to run. It sends nothing itself and does
// not wait. The sets of one unit come one after the other.
func (s *Server) Set(set Set) {
	u := s.unit(set.Unit.Proxy.Owner)
	// Large units take a while, which is nobody else's.
	u.making.Lock()
	next := u.next(set)
	u.making.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	u.now = next
	for _, stream := range s.pods {
		if stream.owner == u.owner {
			stream.wakeUp()
		}
	}
}

// Remove forgets a unit. Its pods keep what they run until they are deleted.
func (s *Server) Remove(owner ir.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.units, owner)
}

func (s *Server) unit(owner ir.Object) *unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[owner]
	if u == nil {
		u = &unit{owner: owner}
		s.units[owner] = u
		// Whoever listens to reports may have forgotten what the unit's pods said,
		// as they were nobody's.
		for _, stream := range s.pods {
			if stream.owner == owner {
				stream.told = nil
			}
		}
	}
	return u
}

// current is a unit's set of now; nil where there is none.
func (s *Server) current(owner ir.Object) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.units[owner]; u != nil {
		return u.now
	}
	return nil
}
