package ads

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	want   [kinds]map[string]*packed
	stream *stream
	// changed is closed and replaced whenever something happened that who settles
	// waits for.
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

// Add puts resources, and leaves those of the kind that it does not name. It
// reports whether any is new or has changed.
func (s *Server) Add(kind Kind, resources []Resource) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for _, r := range resources {
		last := s.want[kind][r.Name]
		next := pack(r, last)
		changed = changed || last == nil || last.version != next.version
		s.want[kind][r.Name] = next
	}
	if changed {
		s.mark(kind)
	}
	return changed
}

// Remove takes resources away, and reports whether any was there.
func (s *Server) Remove(kind Kind, names []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.want[kind])
	for _, name := range names {
		delete(s.want[kind], name)
	}
	changed := len(s.want[kind]) != before
	if changed {
		s.mark(kind)
	}
	return changed
}

// Put replaces all resources of a kind: those that are missing are taken away. It
// reports whether that is a change.
func (s *Server) Put(kind Kind, resources []Resource) bool {
	removed := s.Remove(kind, s.Others(kind, resources))
	return s.Add(kind, resources) || removed
}

// Others are the names of a kind's resources that are not among some.
func (s *Server) Others(kind Kind, than []Resource) []string {
	named := make(map[string]bool, len(than))
	for _, r := range than {
		named[r.Name] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var others []string
	for name := range s.want[kind] {
		if !named[name] {
			others = append(others, name)
		}
	}
	return others
}

// mark says that something of a kind may have to be sent. The lock is held.
func (s *Server) mark(kind Kind) {
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
		refusals, settled, changed := s.settled()
		if settled {
			return refusals, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-changed:
		}
	}
}

func (s *Server) settled() ([]Refusal, bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil || !s.stream.settled() {
		return nil, false, s.changed
	}
	refusals := s.refusals
	s.refusals = nil
	return refusals, true, nil
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

// Quiet reports whether Envoy has answered everything that was sent.
func (s *Server) Quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream != nil && s.stream.settled()
}
