package explain

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Request is the request to explain.
type Request struct {
	Method string `json:"method"`
	// Scheme is "http" or "https".
	Scheme string `json:"scheme"`
	// Host is lower case and has no port.
	Host string `json:"host"`
	// Port is 0 where the URL names none.
	Port uint16 `json:"port,omitempty"`
	// Path is as the client wrote it.
	Path    string      `json:"path"`
	Query   string      `json:"query,omitempty"`
	Headers []ir.Header `json:"headers,omitempty"`
}

// Explanation is the answer.
type Explanation struct {
	Request Request `json:"request"`
	// Path is the normal form, which everything reads; empty where every unit
	// refuses the path.
	Path string `json:"path,omitempty"`
	// Answers hold one entry for each Gateway and port that the request could
	// arrive at; none where no listener fits.
	Answers []Answer `json:"answers,omitempty"`
	// Verdict is one sentence about the whole.
	Verdict string `json:"verdict"`
	// Served is true where a backend or a redirect answers.
	Served bool `json:"served"`
}

// Answer is what happens to the request at one port of one Gateway.
type Answer struct {
	Gateway ir.Object `json:"gateway"`
	Port    uint16    `json:"port"`
	// Listener is nil where no listener of the port takes the host.
	Listener *ir.ListenerKey `json:"listener,omitempty"`
	Hostname string          `json:"hostname,omitempty"`
	// Status is what the proxy answers by itself; 0 where a backend answers.
	Status int `json:"status,omitempty"`
	// Why explains the Status.
	Why    string  `json:"why,omitempty"`
	Winner *Winner `json:"winner,omitempty"`
	Misses []Miss  `json:"misses,omitempty"`
}

// Winner is the match that serves the request.
type Winner struct {
	Route    ir.Object `json:"route"`
	Rule     int       `json:"rule"`
	RuleName string    `json:"ruleName,omitempty"`
	Match    int       `json:"match"`
	// Hostname is the one that the route is attached under.
	Hostname string    `json:"hostname"`
	Wants    string    `json:"wants"`
	Filters  []string  `json:"filters,omitempty"`
	Backends []Backend `json:"backends,omitempty"`
}

// Backend is one that the winner chooses from.
type Backend struct {
	// Name is "namespace/service:port"; empty where the reference is broken.
	Name     string             `json:"name,omitempty"`
	Protocol ir.BackendProtocol `json:"protocol,omitempty"`
	TLS      bool               `json:"tls,omitempty"`
	Weight   int                `json:"weight"`
	// Percent is the share of the requests.
	Percent   float64  `json:"percent"`
	Endpoints []string `json:"endpoints,omitempty"`
	Filters   []string `json:"filters,omitempty"`
	// Problem says why its share is not served.
	Problem string `json:"problem,omitempty"`
}

// Miss is something that could have served the request, and why it does not.
type Miss struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Explain follows a request through units.
func Explain(units []*ir.Unit, r Request) *Explanation {
	e := &Explanation{Request: r}
	var err error
	if e.Path, err = read(units, r.Path); err != nil {
		e.Verdict = fmt.Sprintf("400: %v", err)
		return e
	}
	port, note := pick(units, r)
	for _, u := range units {
		for _, p := range portsOf(u.Proxy) {
			if port == 0 && speaks(u.Proxy, p, r.Scheme) || p == port {
				e.Answers = append(e.Answers, answer(u, p, e))
			}
		}
	}
	e.conclude(units, note)
	return e
}

// read returns the normal form of a path, as the most lenient of the units has
// it.
func read(units []*ir.Unit, path string) (string, error) {
	slashes := requestpath.RejectSlashes
	for _, u := range units {
		slashes = slashes || slashesOf(u)
	}
	return slashes.Normalise(path)
}

func slashesOf(u *ir.Unit) requestpath.Slashes {
	return requestpath.Slashes(u.Proxy.Settings.Path.KeepEncodedSlashes)
}

// pick chooses the port: the one of the URL; else the well-known one where
// somebody listens at it; else 0, for all that speak the scheme.
func pick(units []*ir.Unit, r Request) (port uint16, note string) {
	if r.Port != 0 {
		return r.Port, ""
	}
	known := uint16(80)
	if r.Scheme == "https" {
		known = 443
	}
	for _, u := range units {
		if slices.Contains(portsOf(u.Proxy), known) {
			return known, ""
		}
	}
	return 0, fmt.Sprintf(" (nobody listens at port %d, so every %s port was looked at)", known, r.Scheme)
}

func portsOf(proxy *ir.Proxy) []uint16 {
	var ports []uint16
	for _, l := range proxy.Listeners {
		if l.Protocol != ir.UDP {
			ports = append(ports, l.Port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func speaks(proxy *ir.Proxy, port uint16, scheme string) bool {
	want := ir.HTTP
	if scheme == "https" {
		want = ir.HTTPS
	}
	return slices.ContainsFunc(proxy.Listeners, func(l *ir.Listener) bool { return l.Port == port && l.Protocol == want })
}

func (e *Explanation) conclude(units []*ir.Unit, note string) {
	if len(e.Answers) == 0 {
		e.Verdict = "nobody listens there: " + everyPort(units)
		return
	}
	for _, a := range e.Answers {
		if a.Winner != nil && (a.Status == 0 || a.Status/100 == 3) {
			e.Served = true
			e.Verdict = sentence(a) + note
			return
		}
	}
	e.Verdict = sentence(e.Answers[0]) + note
}

func everyPort(units []*ir.Unit) string {
	var list string
	for _, u := range units {
		for _, l := range u.Proxy.Listeners {
			list += fmt.Sprintf("%s listener %q of %s/%s at port %d; ", l.Protocol, l.Key.Section, l.Key.Owner.Namespace, l.Key.Owner.Name, l.Port)
		}
	}
	if list == "" {
		return "no Gateway has a valid listener; sluice run --once says why"
	}
	return "there is " + list[:len(list)-2]
}

func sentence(a Answer) string {
	switch {
	case a.Winner == nil:
		return fmt.Sprintf("%d: %s", a.Status, a.Why)
	case a.Status != 0:
		return fmt.Sprintf("%s rule %d answers %d: %s", name(a.Winner.Route), a.Winner.Rule, a.Status, a.Why)
	default:
		return fmt.Sprintf("%s rule %d serves it", name(a.Winner.Route), a.Winner.Rule)
	}
}

func name(o ir.Object) string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// answer follows the request from one port on.
func answer(u *ir.Unit, port uint16, e *Explanation) Answer {
	a := Answer{Gateway: u.Proxy.Owner, Port: port}
	var listeners []*ir.Listener
	for _, l := range u.Proxy.Listeners {
		// UDP has ports of its own, of the same numbers.
		if l.Port == port && l.Protocol != ir.UDP {
			listeners = append(listeners, l)
		}
	}
	if _, err := slashesOf(u).Normalise(e.Path); err != nil {
		a.Status, a.Why = http.StatusBadRequest, err.Error()
		return a
	}
	if why := wrongScheme(serving(listeners), e.Request.Scheme); why != "" {
		a.Status, a.Why = http.StatusBadRequest, why
		return a
	}
	chosen, verdict := order.Choose(listeners, e.Request.Host, e.Request.Host)
	a.Misses = append(a.Misses, otherListeners(listeners, chosen, e.Request.Host)...)
	if verdict == order.Refused {
		a.Listener, a.Hostname = &chosen.Key, chosen.Hostname
		a.Status, a.Why = http.StatusInternalServerError, "the listener is refused: "+chosen.Refused
		if chosen.Protocol != ir.HTTP {
			a.Why = "there is no handshake, as " + a.Why
		}
		return a
	}
	if verdict != order.Served {
		a.Status, a.Why = http.StatusNotFound, fmt.Sprintf("no listener at port %d takes the host %q", port, e.Request.Host)
		return a
	}
	a.Listener, a.Hostname = &chosen.Key, chosen.Hostname
	if chosen.Protocol == ir.TLS {
		a.carried(u, chosen, e.Request.Host)
		return a
	}
	for _, l := range order.Group(u.Proxy, nil) {
		if l.Listener == chosen {
			a.follow(u, l, e)
		}
	}
	return a
}

// serving is the listener that says what a port speaks: one that is not refused,
// as those that are may be of another protocol, and of HTTPS rather than of TLS
// where both share the port.
func serving(listeners []*ir.Listener) *ir.Listener {
	found := listeners[0]
	for _, l := range listeners {
		if l.Refused == "" && (found.Refused != "" || l.Protocol == ir.HTTPS) {
			found = l
		}
	}
	return found
}

func wrongScheme(l *ir.Listener, scheme string) string {
	switch {
	case l.Protocol == ir.HTTP && scheme == "https":
		return fmt.Sprintf("the listeners of port %d speak plain HTTP: ask with http://", l.Port)
	case l.Protocol == ir.HTTPS && scheme == "http":
		return fmt.Sprintf("the listeners of port %d speak HTTPS: ask with https://", l.Port)
	case l.Protocol != ir.HTTP && l.Protocol != ir.HTTPS:
		return fmt.Sprintf("the listeners of port %d speak %s, which has no HTTP requests", l.Port, l.Protocol)
	}
	return ""
}

func (a *Answer) follow(u *ir.Unit, l *order.Listener, e *Explanation) {
	asked := order.Request{Method: e.Request.Method, Host: e.Request.Host, Path: e.Path, Query: e.Request.Query, Headers: e.Request.Headers}
	var won *order.Candidate
	for c := range order.Walk(l, asked) {
		if c.Matched && won == nil {
			won = &c
			continue
		}
		a.Misses = append(a.Misses, Miss{What: matchName(c.Entry), Why: lost(c, won)})
	}
	a.Misses = append(a.Misses, otherRoutes(u.Proxy, l, e.Request.Host)...)
	if won == nil {
		a.Status, a.Why = http.StatusNotFound, "no route of the listener matches"
		return
	}
	a.win(u, *won, e)
}
