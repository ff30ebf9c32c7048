package detour

import (
	"github.com/sluice-gateway/sluice/ir"
)

// openings are the sockets that TLS is opened behind.
type openings struct {
	agent *Agent
	bound map[string]*opening
}

type opening struct{}

func (o *openings) apply(*generation)      {}
func (o *openings) problems() []ir.Problem { return nil }
func (o *openings) close()                 {}
