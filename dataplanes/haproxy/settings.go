package haproxy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// processText is the part of the configuration that is this program's. Nothing shows
// it: it holds the key of the unit's sessions, in BASE64.
func (u *unit) processText() string {
	lines := []string{
		"global",
		"set-var " + translator.SessionKey + " str(" + base64.StdEncoding.EncodeToString([]byte(u.SessionKey())) + ")",
		"cluster-secret " + u.clusterSecret(),
		"mworker-max-reloads " + strconv.Itoa(mostReloads),
		// A worker that ends closes idle connections at once, among them those whose
		// next request is on its way: one in each reload, where clients are busy. In a
		// second, most of them have been told to go with an answer. Over HTTP/2, those
		// that have not are told which request was the last to be looked at; else they
		// are told that all are, and closed.
		"close-spread-time 1s",
	}
	lines = append(lines, bounded(allowance.Descriptors())...)
	if !u.asking.IsZero() {
		// A reload forgets what the worker was told.
		lines = append(lines, "set-var proc.leaving bool(true)", "tune.h2.fe.max-total-streams 1")
	}
	return strings.Join(lines, "\n  ") + "\n\n"
}

// clusterSecret is what tokens are made of by which clients of HTTP/3 are told that
// nobody knows their connection: a worker that has taken the place of another one, or
// another pod, knows those tokens then, and nobody waits for what never comes.
func (u *unit) clusterSecret() string {
	sum := sha256.Sum256([]byte("connections of QUIC, " + string(u.SessionKey())))
	return hex.EncodeToString(sum[:])
}

// spareDescriptors are those that HAProxy needs for other things than connections.
const spareDescriptors = 200

// bounded is how many clients HAProxy lets in, by how many descriptors there are: each
// takes one more for its backend. Left alone HAProxy would set one more aside for each
// endpoint, to look whether it is there, and not start at all where there are more of them
// than descriptors.
func bounded(descriptors uint64) []string {
	if descriptors == 0 {
		return nil
	}
	most := max(spareDescriptors, descriptors) - spareDescriptors
	return []string{"no strict-limits", "maxconn " + strconv.FormatUint(max(most/2, 1), 10)}
}

// mostReloads is for how many a worker may outlive its time: each takes memory.
const mostReloads = 24

// lastIdle is how long connections that are used have until the next answer tells
// them to go, before those that are not used are closed.
const lastIdle = 2 * time.Second

// Leave has clients make another connection for their next request, where the
// whole proxy is about to end. Those of HTTP/1.1 read so in an answer, at once. HTTP/2
// has a frame for it, which HAProxy sends where a worker is to end, and where a
// connection has had its number of streams, which is structure: it takes a reload. That
// one waits, as it closes connections that are not used.
func (u *unit) Leave(ctx context.Context) {
	if u.process == nil || u.process.runs == nil || u.Good.Config == nil || !u.Leaving() || !u.left.IsZero() {
		return
	}
	now := time.Now()
	if u.asking.IsZero() {
		// A HAProxy that does not answer is asked again.
		if u.process.admin.Do(ctx, []command{{line: translator.Leave}}) == nil {
			u.asking = now
		}
		return
	}
	if now.Sub(u.asking) < lastIdle {
		return
	}
	u.left = now
	if u.deliver(ctx, u.Good.Config) != nil {
		u.left = time.Time{}
	}
}
