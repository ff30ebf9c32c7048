//go:build !linux || !(amd64 || arm64)

package relay

// direct is what other platforms do not have.
type direct struct{}

func newDirect(*pipe) *direct { return nil }

func (*direct) move() (ended bool, err error) { return false, nil }
