package haproxy

import (
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// mostIdle bounds the idle connections with one endpoint, as the Go proxy does.
const mostIdle = 1024

// purge is how often HAProxy closes half of the idle connections with an endpoint that
// were not needed. It makes them end after 1 to 4 s, before most servers would end
// them: a request that meets a connection which its server is about to close is lost,
// unless it may be made twice.
const purge = 500 * time.Millisecond

func (u *upstream) isHTTP() bool {
	switch u.backend.Key.Protocol {
	case ir.BackendHTTP1, ir.BackendH2, ir.BackendH2C:
		return true
	}
	return false
}

// speak says what is spoken with the endpoints.
func (u *upstream) speak() {
	// The kernel tells of a peer that is gone without a word, as it does for the Go
	// proxy (net.Dialer).
	u.lines = append(u.lines, "option srvtcpka", "srvtcpka-idle 15s", "srvtcpka-intvl 15s", "srvtcpka-cnt 9")
	if !u.isHTTP() {
		return
	}
	// Whatever client it comes from, a request takes a connection that is there:
	// requests that may be made twice are made again where it has ended just now.
	u.lines = append(u.lines, "http-reuse always")
	u.params.PoolMaxConn, u.params.PoolPurgeDelay = number(mostIdle), number(int64(purge/time.Millisecond))
	switch u.backend.Key.Protocol {
	case ir.BackendH2:
		u.params.Alpn, u.params.Proto = "h2", "h2"
	case ir.BackendH2C:
		u.params.Proto = "h2"
	}
}

func number(n int64) *int64 { return &n }
