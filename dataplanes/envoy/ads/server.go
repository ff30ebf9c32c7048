package ads

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Resource is a named message. It is immutable.
type Resource struct {
	Name    string
	Message proto.Message
}

// Refusal is an answer of Envoy's by which it did not take what was sent.
type Refusal struct {
	Kind Kind
	// Names are the resources that were sent together; Message are Envoy's words.
	Names   []string
	Message string
}

// Server serves one Envoy. Its methods may be called from anywhere.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer

	mu sync.Mutex
	// want is what Envoy is to have.
	want [kinds]map[string]*packed
	// from keeps what was packed by its message.
	stream *stream
	// changed is closed and replaced whenever a stream is waited for no longer for
	// what it was.
	changed  chan struct{}
	refusals []Refusal
}

var _ discoveryv3.AggregatedDiscoveryServiceServer = (*Server)(nil)

// packed is a resource as it is sent.
type packed struct {
	message proto.Message
	body    *anypb.Any
	version string
}

// NewServer returns a server without resources.
func NewServer() *Server {
	s := &Server{changed: make(chan struct{})}
	for k := range kinds {
		s.want[k] = map[string]*packed{}
	}
	return s
}

// Put replaces all resources of a kind: those that are missing are taken away.
func (s *Server) Put(kind Kind, resources []Resource) {
	s.put(kind, resources, false)
}

// Add puts resources, and leaves those that it does not name.
func (s *Server) Add(kind Kind, resources []Resource) {
	s.put(kind, resources, true)
}

func (s *Server) put(kind Kind, resources []Resource, keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.want[kind]
	next := make(map[string]*packed, len(resources))
	if keep {
		maps.Copy(next, last)
	}
	for _, r := range resources {
		next[r.Name] = pack(r, last[r.Name])
	}
	s.want[kind] = next
	if s.stream != nil {
		s.stream.mark(kind)
	}
}

// pack marshals a resource, unless the last of its name is the same.
func pack(r Resource, last *packed) *packed {
	if last != nil && last.message == r.Message {
		return last
	}
	body := &anypb.Any{}
	if err := anypb.MarshalFrom(body, r.Message, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic("a message of ours cannot be packed: " + err.Error())
	}
	sum := sha256.Sum256(body.GetValue())
	return &packed{message: r.Message, body: body, version: hex.EncodeToString(sum[:8])}
}

// Settle waits until Envoy has answered everything that was sent, and returns what
// it refused since the last time. The one error is the context's.
func (s *Server) Settle(ctx context.Context) ([]Refusal, error) {
	for {
		s.mu.Lock()
		changed, settled := s.changed, s.stream != nil && s.stream.settled()
		if settled {
			refusals := s.refusals
			s.refusals = nil
			s.mu.Unlock()
			return refusals, nil
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-changed:
		}
	}
}

// announce wakes who settles. The lock is held.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// refused takes note of a refusal. The lock is held.
func (s *Server) refused(r Refusal) {
	slices.Sort(r.Names)
	r.Message = strings.TrimSpace(r.Message)
	s.refusals = append(s.refusals, r)
}
