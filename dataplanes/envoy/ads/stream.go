package ads

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// stream is what is known of the client of one connection. Its server's lock
// guards it.
type stream struct {
	server *Server
	kinds  [kinds]subscription
	// dirty are the kinds of which something may have to be sent, in order.
	dirty []Kind
	wake  chan struct{}
	nonce int
	// unanswered are the names that were sent by nonce.
	unanswered map[string]sent
}

type sent struct {
	kind  Kind
	names []string
}

// subscription is what the client has asked for and been given of one kind.
type subscription struct {
	asked bool
	// answered is false while a client that wants all has got nothing, not even
	// that there is none: it would wait for that.
	answered bool
	all      bool
	names    map[string]bool
	// has holds the version that was last sent of each name; "" where the client
	// was told that there is none.
	has map[string]string
}

func newStream(s *Server) *stream {
	st := &stream{server: s, wake: make(chan struct{}, 1), unanswered: map[string]sent{}}
	for k := range kinds {
		st.kinds[k] = subscription{names: map[string]bool{}, has: map[string]string{}}
	}
	return st
}

// DeltaAggregatedResources serves a connection of Envoy's until it ends. There is
// but one: a later one takes the place of the one before.
func (s *Server) DeltaAggregatedResources(grpc discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	st := newStream(s)
	s.mu.Lock()
	s.stream = st
	s.announce()
	s.mu.Unlock()
	ctx, cancel := context.WithCancelCause(grpc.Context())
	go func() {
		for {
			request, err := grpc.Recv()
			if err != nil {
				cancel(err)
				return
			}
			st.take(request)
		}
	}()
	defer s.left(st)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-st.wake:
		}
		for response := st.next(); response != nil; response = st.next() {
			if err := grpc.Send(response); err != nil {
				return err
			}
		}
	}
}

// left forgets a connection that has ended.
func (s *Server) left(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == st {
		s.stream = nil
	}
	s.announce()
}

// mark says that something of a kind may have to be sent. The lock is held.
func (st *stream) mark(kind Kind) {
	if !slices.Contains(st.dirty, kind) {
		st.dirty = append(st.dirty, kind)
	}
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// settled reports whether the client has answered all. The lock is held.
func (st *stream) settled() bool {
	return len(st.dirty) == 0 && len(st.unanswered) == 0 && st.kinds[Clusters].asked && st.kinds[Listeners].asked
}

// take reads what the client says.
func (st *stream) take(r *discoveryv3.DeltaDiscoveryRequest) {
	kind, known := kindOf(r.GetTypeUrl())
	if !known {
		return
	}
	st.server.mu.Lock()
	defer st.server.mu.Unlock()
	defer st.server.announce()
	if was, ok := st.unanswered[r.GetResponseNonce()]; ok {
		delete(st.unanswered, r.GetResponseNonce())
		if detail := r.GetErrorDetail(); detail != nil {
			st.server.refused(Refusal{Kind: was.kind, Names: was.names, Message: detail.GetMessage()})
		}
	}
	if st.kinds[kind].take(r) {
		st.mark(kind)
	}
}

// take notes what a request subscribes to, and reports whether that is news.
func (s *subscription) take(r *discoveryv3.DeltaDiscoveryRequest) bool {
	first := !s.asked
	s.asked = true
	if first {
		maps.Copy(s.has, r.GetInitialResourceVersions())
		s.all = len(r.GetResourceNamesSubscribe()) == 0
	}
	for _, name := range r.GetResourceNamesSubscribe() {
		if name == "*" {
			s.all = true
			continue
		}
		s.names[name] = true
		// Who asks again for what it has been given has lost it.
		if !first {
			delete(s.has, name)
		}
	}
	for _, name := range r.GetResourceNamesUnsubscribe() {
		s.all = s.all && name != "*"
		delete(s.names, name)
		delete(s.has, name)
	}
	return first || len(r.GetResourceNamesSubscribe()) > 0
}

// next returns what to send next; nil where there is nothing.
func (st *stream) next() *discoveryv3.DeltaDiscoveryResponse {
	st.server.mu.Lock()
	defer st.server.mu.Unlock()
	for len(st.dirty) > 0 {
		kind := st.dirty[0]
		response := st.diff(kind)
		if response != nil {
			return response
		}
		st.dirty = st.dirty[1:]
		st.server.announce()
	}
	return nil
}

// diff returns what the client lacks of a kind, or has too much.
func (st *stream) diff(kind Kind) *discoveryv3.DeltaDiscoveryResponse {
	sub, want := &st.kinds[kind], st.server.want[kind]
	if !sub.asked {
		return nil
	}
	response := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: kind.url()}
	for _, name := range sub.wanted(want) {
		next, version := want[name], ""
		if next != nil {
			version = next.version
		}
		had, told := sub.has[name]
		if told && (had == version || next == nil && !sub.all) {
			// Who asks by name, and has one, still uses it: what nobody wants any more
			// goes with who named it.
			continue
		}
		sub.has[name] = version
		if next == nil {
			sub.gone(name)
			response.RemovedResources = append(response.RemovedResources, name)
			continue
		}
		st.follow(next)
		response.Resources = append(response.Resources, &discoveryv3.Resource{Name: name, Version: version, Resource: next.body})
		if alone[kind] {
			break
		}
	}
	if len(response.GetResources())+len(response.GetRemovedResources()) == 0 && (sub.answered || !sub.all) {
		return nil
	}
	sub.answered = true
	st.sent(kind, response)
	return response
}

// gone notes that the client was told that a name is not there: who asked for it
// by name is to hear of it when it comes.
func (s *subscription) gone(name string) {
	if !s.names[name] {
		delete(s.has, name)
	}
}

// follow sends a cluster's endpoints after it once more: a cluster that is changed
// waits for them, though Envoy has them already and does not ask again.
func (st *stream) follow(p *packed) {
	cluster, ok := p.message.(*clusterv3.Cluster)
	if !ok || cluster.GetEdsClusterConfig() == nil {
		return
	}
	name := cmp.Or(cluster.GetEdsClusterConfig().GetServiceName(), cluster.GetName())
	if _, had := st.kinds[Endpoints].has[name]; had {
		delete(st.kinds[Endpoints].has, name)
		st.mark(Endpoints)
	}
}

// alone are kinds of which each resource is sent by itself: Envoy refuses all that
// came with a bad one.
var alone = [kinds]bool{Secrets: true, Routes: true, Filters: true}

// wanted returns the names of which the client is to know, sorted.
func (s *subscription) wanted(want map[string]*packed) []string {
	names := slices.Collect(maps.Keys(s.names))
	if s.all {
		names = slices.AppendSeq(names, maps.Keys(want))
		names = slices.AppendSeq(names, maps.Keys(s.has))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sent numbers a response and waits for its answer.
func (st *stream) sent(kind Kind, r *discoveryv3.DeltaDiscoveryResponse) {
	st.nonce++
	r.Nonce = strconv.Itoa(st.nonce)
	was := sent{kind: kind, names: slices.Clone(r.GetRemovedResources())}
	for _, resource := range r.GetResources() {
		was.names = append(was.names, resource.GetName())
	}
	st.unanswered[r.Nonce] = was
}
