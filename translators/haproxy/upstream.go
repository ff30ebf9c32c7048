package haproxy

import (
	"reflect"
	"time"

	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
)

// upstream is what a section says of the backend that it leads to.
type upstream struct {
	backend *ir.Backend
	connect ir.Duration
	// client is the certificate that is shown; nil for none.
	client *ir.Certificate

	// lines are the section's.
	lines []string
	// serves is false where nobody may be spoken to: every request is answered 503.
	serves bool
	params models.ServerParams
	// says are params as HAProxy reads them.
	says string
	// weight is what each endpoint has.
	weight int
	files  []*File
}

// digested is what a section's name has to tell of its backend.
func (u *upstream) digested() []string { return append(u.lines[:len(u.lines):len(u.lines)], u.says) }

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
	u := &upstream{backend: b, connect: c.unit.Proxy.Settings.Timeouts.Connect, client: c.clientCertificate(b)}
	if last := c.kept.upstreams[key]; last != nil && last.alike(u) {
		u = last
	} else {
		u.make()
	}
	c.made.upstreams[key] = u
	return u
}

func (u *upstream) alike(with *upstream) bool {
	return u.connect == with.connect && same(u.backend, with.backend) && same(u.client, with.client)
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
	u.says = written(u.params)
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
		made.pool = &Pool{Endpoints: key.EndpointsKey, Params: u.params, says: u.says, Servers: c.servers(endpoints, u.weight)}
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
