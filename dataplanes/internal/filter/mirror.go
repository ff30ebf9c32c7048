package filter

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/bits"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// mirror marks a share of the requests for a copy (HTTPRequestMirrorFilter).
type mirror struct {
	backend                ir.BackendKey
	numerator, denominator uint64
	salt                   uint64
}

var _ step = (*mirror)(nil)

// salts makes the mirrors of a rule independent of each other and of the choice
// of its backend, though all follow from one random number.
var salts = maphash.MakeSeed()

func compileMirror(spec *ir.Mirror) (step, error) {
	if spec.Numerator < 0 || spec.Denominator < 1 {
		return nil, fmt.Errorf("mirror: %d/%d is not a share", spec.Numerator, spec.Denominator)
	}
	return &mirror{
		backend:     spec.Backend,
		numerator:   uint64(spec.Numerator),
		denominator: uint64(spec.Denominator),
		salt:        maphash.Comparable(salts, spec.Backend),
	}, nil
}

// request decides at random rather than in turns: turns would fall into step
// with clients that repeat a pattern of requests.
func (m *mirror) request(_ context.Context, x *Exchange) *exchange.Response {
	place, _ := bits.Mul64(scramble(x.Draw^m.salt), m.denominator)
	if place < m.numerator {
		x.Mirrors = append(x.Mirrors, m.backend)
	}
	return nil
}

func (m *mirror) response(*Exchange, *exchange.Response) {}

// scramble is the finisher of splitmix64: each bit of its result depends on
// every bit of n.
func scramble(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
