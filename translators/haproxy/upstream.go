package haproxy

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
)

// upstreamOf is what an upstream is made of.
type upstreamOf struct {
	backend *ir.Backend
	connect ir.Duration
	// hops is true where others tell who the client is.
	hops bool
	// client is the certificate that is shown; nil for none.
	client *ir.Certificate
}

// upstream is what a section says of the backend that it leads to.
type upstream struct {
	upstreamOf

	// lines are the section's first, request those that follow the rule's of requests,
	// and last the section's last.
	lines, request, last []string
	// weak is why the certificate cannot be shown.
	weak error
	// serves is false where nobody may be spoken to: every request is answered 503.
	serves bool
	params models.ServerParams
	// ring is how the places of a consistent hash are named, which the parameters know
	// no word for.
	ring string
	// says are params as HAProxy reads them.
	says string
	// weight is what each endpoint has.
	weight int
	files  []*File
	// loads are the words of servers that name files.
	loads string
}

// section is the name of the backend's section with such lines. It tells the servers'
// parameters too.
func (u *upstream) section(lines []string) string {
	return sectionName(u.backend.Key, append(lines[:len(lines):len(lines)], u.says, strconv.FormatBool(u.serves)))
}

// upstream returns what sections say of a backend. What has not changed is the last
// translation's.
func (c *Config) upstream(key ir.BackendKey) *upstream {
	if known := c.made.upstreams[key]; known != nil {
		return known
	}
	b := c.made.backends[key]
	if b == nil {
		b = &ir.Backend{Key: key}
	}
	settings := &c.unit.Proxy.Settings
	of := upstreamOf{b, settings.Timeouts.Connect, settings.ClientIP.TrustedHops > 0, c.clientCertificate(b)}
	u := c.kept.upstreams[key]
	if u == nil || !u.alike(of) {
		u = &upstream{upstreamOf: of}
		u.make()
	}
	c.made.upstreams[key] = u
	c.load(u)
	return u
}

func (u *upstreamOf) alike(with upstreamOf) bool {
	return u.connect == with.connect && u.hops == with.hops && same(u.backend, with.backend) && same(u.client, with.client)
}

// same says whether two parts of a unit say the same; mostly they are one.
func same[T any](a, b *T) bool {
	return a == b || a != nil && b != nil && reflect.DeepEqual(a, b)
}

func (u *upstream) make() {
	u.lines = append(u.lines, "timeout connect "+milliseconds(time.Duration(u.connect)))
	u.speak()
	u.balance()
	u.eject()
	u.serves = u.secure()
	u.says = strings.TrimSpace(wordsOf(u.params) + u.ring)
}

// pool returns where the servers of a backend's sections come from; nil where there
// are none, whatever endpoints it has.
func (c *Config) pool(key ir.BackendKey) *Pool {
	u := c.upstream(key)
	if !u.serves {
		return nil
	}
	if known := c.made.pooled[key]; known.pool != nil {
		return known.pool
	}
	endpoints := c.made.endpoints[key.EndpointsKey]
	made := pooled{u, endpoints, nil}
	if last := c.kept.pooled[key]; last.upstream == u && same(last.endpoints, endpoints) {
		made.pool = last.pool
	} else {
		made.pool = &Pool{Endpoints: key.EndpointsKey, Through: c.through(key), Params: u.params, says: u.says, weight: u.weight, ejection: ejection(u.backend), Servers: c.servers(endpoints, u.weight)}
	}
	c.made.pooled[key] = made
	return made.pool
}

// pooled is what was made of a backend's endpoints, and of what.
type pooled struct {
	upstream  *upstream
	endpoints *ir.Endpoints
	pool      *Pool
}
