package detour

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/errand"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// pass is one request on its way through the agent.
type pass struct {
	agent      *Agent
	generation *generation
	detour     *detour
	request    *exchange.Request
	labels     labels
	deadline   time.Time
	// flag is why the agent itself answered; empty where HAProxy did.
	flag string
	// endCopies gives up copies of a body that was not read to its end; nil where
	// there are none.
	endCopies func()
	// admitted says that the request has taken a place.
	admitted bool
}

var (
	_ exchange.Handler = (*Agent)(nil)
	_ exchange.Ender   = (*pass)(nil)
)

// Serve does what is to be done with one request, and has HAProxy go on with it.
func (a *Agent) Serve(ctx context.Context, in exchange.Incoming) exchange.Answer {
	p := &pass{agent: a, generation: a.current.Load(), request: in.Request, labels: peel(&in.Request.Header)}
	whole := false
	defer func() {
		if !whole {
			// Something panics, and nobody else ends the request.
			p.Done(exchange.Sent{})
		}
	}()
	var response *exchange.Response
	switch {
	case in.Refused != 0:
		response = p.refuse(in.Refused, in.Reason)
	case a.opts.Guard.Pressed() || !a.opts.Guard.Requests.Take(1):
		response = p.refuse(http.StatusServiceUnavailable, "overloaded")
	default:
		p.admitted = true
		response = p.serve(ctx)
	}
	if p.flag != "" {
		response.Header.Set(translator.DetourFlag, p.flag)
	}
	whole = true
	return exchange.Answer{Response: response, Ender: p}
}

// Done gives up copies of what was not read, and the place.
func (p *pass) Done(exchange.Sent) {
	if p.admitted {
		p.agent.opts.Guard.Requests.Give(1)
	}
	if p.endCopies != nil {
		p.endCopies()
	}
}

func (p *pass) refuse(status int, flag string) *exchange.Response {
	p.flag = flag
	return filter.Answer(status, http.StatusText(status), p.request.GRPC)
}

// serve runs the filters of the rule around what its backend says.
func (p *pass) serve(ctx context.Context) *exchange.Response {
	r := p.request
	name, prefix := p.labels.section(r.Path)
	p.detour = p.generation.detours[name]
	if p.detour == nil || p.detour.err != nil {
		return p.refuse(http.StatusInternalServerError, "refused_rule")
	}
	r.Client, r.Peer, r.Port = p.labels.client(), p.labels.peer(), p.detour.Port
	if scheme := p.labels.get(translator.DetourScheme); scheme != "" {
		r.Scheme = scheme
	}
	if version, err := strconv.Atoi(p.labels.get(translator.DetourVersion)); err == nil {
		r.Proto = version
	}
	if p.detour.Request > 0 {
		p.deadline = time.Now().Add(p.detour.Request)
	}
	x := filter.Start(r, prefix, rand.Uint64())
	x.Ask = &errand.Asker{Pools: p.generation.pools, Trail: p.generation.trail, Deadline: p.deadline}
	x.GRPC = r.GRPC
	return p.ruled(ctx, &x)
}

// ruled runs the rule's filters around what is left.
func (p *pass) ruled(ctx context.Context, x *filter.Exchange) *exchange.Response {
	response := p.filtered(p.detour.filters.Request(ctx, x))
	if response == nil {
		response = p.used(ctx, x)
	}
	answered(p.detour.filters, x, response)
	return response
}

// answered has filters edit a response. What is the client's they may edit; what
// HAProxy says is for HAProxy.
func answered(chain *filter.Chain, x *filter.Exchange, response *exchange.Response) {
	said := peel(&response.Header)
	chain.Response(x, response)
	_ = peel(&response.Header)
	response.Header = append(response.Header, said...)
}

// used runs the filters of the rule's use of a backend around what HAProxy says.
func (p *pass) used(ctx context.Context, x *filter.Exchange) *exchange.Response {
	back := filter.Hold(p.detour.Session, p.request)
	response := p.filtered(p.detour.use.Request(ctx, x))
	if response == nil {
		p.copy(x.Mirrors)
		back()
		response = p.forward(ctx)
	}
	answered(p.detour.use, x, response)
	return response
}

// filtered takes an answer of a filter, which may be what an authorization server
// said; nil where there is none.
func (p *pass) filtered(answer *exchange.Response) *exchange.Response {
	if answer != nil {
		p.flag = "filter"
		_ = peel(&answer.Header)
	}
	return answer
}

// copy arranges for copies of the request as the backend will see it.
func (p *pass) copy(backends []ir.BackendKey) {
	if len(backends) == 0 {
		return
	}
	header := p.request.Header
	p.generation.trail.Mark(&p.request.Header)
	p.endCopies = p.agent.opts.Mirrors.Copy(p.request, errand.Copies(p.generation.pools, backends))
	// HAProxy marks what it sends itself.
	p.request.Header = header
}

// forward has HAProxy go on.
func (p *pass) forward(ctx context.Context) *exchange.Response {
	h := &p.request.Header
	_ = peel(h)
	*h = append(*h, p.labels...)
	response, err := p.send(ctx, p.detour)
	if err == nil && p.request.Length == 0 && lost(response) {
		if now := p.agent.current.Load().inPlaceOf(p.labels.rule(), p.detour); now != nil {
			drop(response)
			response, err = p.send(ctx, now)
		}
	}
	if err == nil {
		p.leaveRoom(response)
		return response
	}
	var failure *upstream.Error
	if !errors.As(err, &failure) {
		return p.refuse(http.StatusBadGateway, string(upstream.Broken))
	}
	return p.refuse(failure.Status(), string(failure.Kind))
}

// leaveRoom makes room for the trailers of a client that asks for them, as those of
// gRPC do: with HAProxy it is HTTP/1.1 that is spoken, which has none where a length is
// said.
func (p *pass) leaveRoom(r *exchange.Response) {
	if _, asked := p.request.Header.Get("te"); asked && p.detour.H2 && r.Trailer != nil {
		r.Length = -1
	}
}

func (p *pass) send(ctx context.Context, by *detour) (*exchange.Response, error) {
	p.request.Header.Set(translator.DetourNext, by.Next)
	return p.agent.back.send(ctx, by.H2, upstream.Call{Request: p.request, Deadline: p.deadline})
}

// lost says whether HAProxy has no section of the name that was to go on.
func lost(r *exchange.Response) bool {
	served, _ := r.Header.Get(translator.DetourServed)
	section, _, _ := strings.Cut(served, "|")
	return section == translator.DetourLost
}

func drop(r *exchange.Response) {
	if r.Body != nil {
		r.Body.Close()
	}
}
