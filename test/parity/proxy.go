package parity

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Proxy is a dataplane under test, run over a directory as `sluice run` does.
type Proxy interface {
	// Address is where the listeners of a Gateway ("namespace/name", or the only
	// one) are, as the Gateway's status says.
	Address(gateway string) (string, error)
	// Conditions are those of a part of an object's status, and the generation
	// that the object has now; ok is false where there are none yet.
	Conditions(of Until) (conditions []metav1.Condition, generation int64, ok bool)
	// Gateways are those of our class, "Gateway namespace/name".
	Gateways() []string
	// Changed is closed when any status or the access log changes.
	Changed() <-chan struct{}
	// AccessLog returns the lines that hold a text.
	AccessLog(text string) []string
	// Stop drains and stops it.
	Stop(ctx context.Context) error
}
