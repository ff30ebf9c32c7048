package haproxy

import (
	_ "embed"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// serversScript is what HAProxy leaves to others about servers.
//
//go:embed lua/servers.lua
var serversScript string

const serversFile = "servers.lua"

// usualMost is the share of endpoints that is left out at most, in percent, where no
// row says another.
const usualMost = 50

// mostUnasked bounds how long nobody looks whether an endpoint of TLS is there again.
// Where all endpoints of a backend are left out, the script looks, but knows nothing
// of certificates.
const mostUnasked = time.Second

// eject leaves out endpoints that cannot be connected to. HAProxy counts the
// connections that have failed in a row, and takes an endpoint back when it can be
// connected to again: it looks by itself, so that no request has to. It never looks
// at endpoints that are in use.
func (u *upstream) eject() {
	e := u.backend.Ejection
	if e == nil {
		return
	}
	p := &u.params
	p.Check, p.Observe, p.OnError = "enabled", "layer4", "mark-down"
	p.ErrorLimit = int64(max(1, e.Failures))
	p.Rise, p.Fall = number(1), number(1)
	p.Inter = number(int64(never / time.Millisecond))
	base := time.Duration(e.BaseTime)
	if u.backend.TLS != nil {
		base = min(base, mostUnasked)
	}
	again := number(max(int64(1), int64(base/time.Millisecond)))
	p.Fastinter, p.Downinter = again, again
}

// ejections are what the script has to know of sections that leave endpoints out.
func (c *Config) ejections(sections []*Section) []*Block {
	var all []*Block
	for _, s := range sections {
		if s.Pool == nil {
			continue
		}
		if what := s.Pool.ejection; what != "" {
			all = append(all, c.single(Row{"ejection|" + s.Name, what}))
		}
	}
	return all
}

// ejection is what the script has to know of a backend: the share of its endpoints
// that is left out at most, in percent, and whether it takes more than a connection
// to tell that one is there. It is empty for most.
func ejection(b *ir.Backend) string {
	switch e := b.Ejection; {
	case e == nil:
		return ""
	case b.TLS != nil:
		return strconv.Itoa(e.MaxPercent) + " tls"
	case e.MaxPercent == usualMost:
		return ""
	default:
		return strconv.Itoa(e.MaxPercent)
	}
}
