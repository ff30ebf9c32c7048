package parity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/coder/websocket"
)

// trial is a unit made by chance, and requests to it, which every dataplane must
// answer alike.
type trial struct {
	// Manifest is what no shrinking touches: services, certificates.
	Manifest string
	// Objects are Gateways and routes.
	Objects  []object
	Requests []Request
}

// difference is that two dataplanes do not agree.
type difference struct {
	// Request is the one that they answer differently; nil where statuses differ.
	Request *Request
	// Lines say who saw what.
	Lines string
	// First is what the first dataplane answered.
	First *answer
	// Between are the two.
	Between contest
}

// contest holds dataplanes against each other: the first is who the others are
// compared with.
type contest []Bench

// tallies count what the first dataplane answered, by outcome: a trial whose requests
// all meet 404 proves little.
type tallies map[string]int

// run plays a trial on every dataplane and returns the first difference, or nil.
func (c contest) run(ctx context.Context, t *trial, counts tallies) (*difference, error) {
	var sides []*side
	defer func() {
		for _, s := range sides {
			s.close()
		}
	}()
	for _, bench := range c {
		s, err := open(ctx, bench, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", bench.Dataplane.Name(), err)
		}
		sides = append(sides, s)
	}
	if d := c.compare(sides, func(s *side) (fingerprint, *answer) { return s.proxy.statuses(), nil }); d != nil {
		return d, nil
	}
	for i := range t.Requests {
		r := &t.Requests[i]
		d := c.compare(sides, func(s *side) (fingerprint, *answer) {
			said, a := s.ask(ctx, r)
			if s == sides[0] && a != nil {
				counts[a.outcome()]++
			}
			return said, a
		})
		if d != nil && !t.documented(d, r) {
			d.Request = r
			return d, nil
		}
	}
	return nil, nil
}

// documented reports whether docs/envoy.md tells of a difference.
func (t *trial) documented(d *difference, r *Request) bool {
	if d.Between[1].Dataplane.Name() != "envoy" {
		return false
	}
	// Calls of gRPC are not redirected.
	call := slices.Contains(r.Headers, "Content-Type: application/grpc")
	if call && d.First != nil && d.First.status/100 == 3 {
		return true
	}
	// Some expressions see a query as it came.
	_, query, _ := strings.Cut(r.Path, "?")
	return strings.ContainsAny(query, "%+") && slices.ContainsFunc(t.Objects, asItCame)
}

// asItCame reports whether an object has an expression that Envoy cannot be asked of
// what a query means.
func asItCame(o object) bool {
	text := fmt.Sprint(o)
	return strings.Contains(text, "queryParams") && slices.ContainsFunc([]string{`\b`, `\B`, `\pL`}, func(part string) bool {
		return strings.Contains(text, part)
	})
}

// compare holds what each side says against the first.
func (c contest) compare(sides []*side, say func(*side) (fingerprint, *answer)) *difference {
	first, answered := say(sides[0])
	for i, s := range sides[1:] {
		said, _ := say(s)
		if lines := differences(sides[0].plane, first, s.plane, said); lines != "" {
			return &difference{Lines: lines, First: answered, Between: contest{c[0], c[i+1]}}
		}
	}
	return nil
}

// side is one dataplane that serves a trial.
type side struct {
	*play
	dir string
	// clients are kept from one request to the next.
	clients map[string]kept
}

type kept struct {
	http.RoundTripper
	close func()
}

// open serves a trial, and waits until what it says is in force.
func open(ctx context.Context, bench Bench, t *trial) (*side, error) {
	dir, err := os.MkdirTemp("", "parity")
	if err != nil {
		return nil, err
	}
	s := &side{dir: dir, clients: map[string]kept{}}
	if err := s.serve(ctx, bench, t); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *side) serve(ctx context.Context, bench Bench, t *trial) error {
	w, err := newWorld(s.dir, "sluice.dev/"+bench.Dataplane.Name())
	if err != nil {
		return err
	}
	s.play = &play{world: w, plane: bench.Dataplane.Name(), sockets: map[string]*websocket.Conn{}}
	text, err := render(t.Objects)
	if err != nil {
		return err
	}
	if err := errors.Join(w.apply(t.Manifest), w.apply(string(text)), w.write()); err != nil {
		return err
	}
	s.proxy, err = StartProxy(ProxyOptions{
		Dataplane: bench.Dataplane, Controller: w.controller, Catalog: bench.Catalog,
		Directory: s.dir, Address: w.address, Resolve: w.resolve,
	})
	if err != nil {
		return err
	}
	return s.await(ctx, "every object's status", func() (bool, string) { return s.proxy.settled(t.Objects) })
}

func (s *side) close() {
	for _, client := range s.clients {
		client.close()
	}
	if s.play != nil && s.proxy != nil {
		_ = s.proxy.Stop()
	}
	if s.play != nil {
		s.world.close()
	}
	os.RemoveAll(s.dir)
}

// ask makes one request.
func (s *side) ask(ctx context.Context, r *Request) (fingerprint, *answer) {
	request := s.defaults(*r)
	client, err := s.client(&request)
	if err != nil {
		return fingerprint{err.Error()}, nil
	}
	a := s.exchange(ctx, "trial", &request, client)
	return a.fingerprint(), a
}

// client returns the one for a request's port, protocol and SNI.
func (s *side) client(r *Request) (http.RoundTripper, error) {
	key := fmt.Sprint(r.Port, r.Scheme, r.Protocol)
	if r.Scheme == "https" {
		key += bare(r.Host)
	}
	if have, ok := s.clients[key]; ok {
		return have, nil
	}
	l, err := s.link(r.Target, r.Host, r.Scheme == "https")
	if err != nil {
		return nil, err
	}
	transport, closing, err := r.transport(l)
	if err == nil {
		s.clients[key] = kept{transport, closing}
	}
	return transport, err
}

// names of the dataplanes, for messages.
func (c contest) names() []string {
	by := map[string]bool{}
	for _, bench := range c {
		by[bench.Dataplane.Name()] = true
	}
	return slices.Sorted(maps.Keys(by))
}
