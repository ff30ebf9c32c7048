//go:build !linux || !(amd64 || arm64)

package park

import (
	"errors"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// poller is not there on this platform: idle connections keep their goroutines.
type poller struct{}

func (poller) open() error                       { return errors.ErrUnsupported }
func (poller) watch(uint64, *rawconn.Conn) error { return errors.ErrUnsupported }
func (poller) run(func(uint64))                  {}
