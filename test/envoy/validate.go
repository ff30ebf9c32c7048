package envoy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	internalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Validate fails the test for each set that Envoy refuses to start with. Sets
// that do not contradict each other are shown to it together, and by themselves
// where it objects, so that many cost little more than one. Envoy has the runtime
// settings that it is to have; nil is none.
func Validate(t testing.TB, runtime *bootstrapv3.LayeredRuntime, sets ...Set) {
	t.Helper()
	for _, err := range refused(t, runtime, sets) {
		t.Error(err)
	}
}

func refused(t testing.TB, runtime *bootstrapv3.LayeredRuntime, sets []Set) []error {
	t.Helper()
	path := Program(t)
	var all []*static
	var errs []error
	for _, s := range sets {
		fixed, err := s.static()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		all = append(all, fixed)
	}
	for _, together := range batches(all) {
		if accepted(t, path, together.bootstrap(runtime)) == nil {
			continue
		}
		for _, s := range together.sets {
			if err := accepted(t, path, batches([]*static{s})[0].bootstrap(runtime)); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			}
		}
	}
	return errs
}

// batch are sets that can stand in one bootstrap.
type batch struct {
	sets  []*static
	named map[string]proto.Message
}

// atOnce bounds a batch: Envoy's time grows faster than what it reads.
const atOnce = 40

func batches(sets []*static) []*batch {
	var all []*batch
next:
	for _, s := range sets {
		for _, b := range all {
			if len(b.sets) < atOnce && b.take(s) {
				continue next
			}
		}
		b := &batch{named: map[string]proto.Message{}}
		b.take(s)
		all = append(all, b)
	}
	return all
}

// take adds a set, unless it has another resource by a name that is there.
func (b *batch) take(s *static) bool {
	named := s.named()
	for name, m := range named {
		if have := b.named[name]; have != nil && !proto.Equal(have, m) {
			return false
		}
	}
	for name, m := range named {
		b.named[name] = m
	}
	b.sets = append(b.sets, s)
	return true
}

// named are the resources of a set that others could have too.
func (s *static) named() map[string]proto.Message {
	all := map[string]proto.Message{}
	for _, c := range s.clusters {
		all["cluster "+c.GetName()] = c
	}
	for _, secret := range s.secrets {
		all["secret "+secret.GetName()] = secret
	}
	for _, l := range s.listeners {
		if l.GetInternalListener() != nil {
			all["listener "+l.GetName()] = l
		}
	}
	return all
}

// bootstrap writes a batch as the file that Envoy starts with.
func (b *batch) bootstrap(runtime *bootstrapv3.LayeredRuntime) *bootstrapv3.Bootstrap {
	internal, _ := anypb.New(&internalv3.InternalListener{})
	resources := &bootstrapv3.Bootstrap_StaticResources{}
	have := map[string]bool{}
	first := func(name string) bool { defer func() { have[name] = true }(); return !have[name] }
	for i, s := range b.sets {
		for _, l := range s.listeners {
			move(l, i)
			if first("listener " + l.GetName()) {
				resources.Listeners = append(resources.Listeners, l)
			}
		}
		for _, c := range s.clusters {
			if first("cluster " + c.GetName()) {
				resources.Clusters = append(resources.Clusters, c)
			}
		}
		for _, secret := range s.secrets {
			if first("secret " + secret.GetName()) {
				resources.Secrets = append(resources.Secrets, secret)
			}
		}
	}
	return &bootstrapv3.Bootstrap{
		Node:                &corev3.Node{Id: "test", Cluster: "test"},
		StaticResources:     resources,
		LayeredRuntime:      runtime,
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{Name: "envoy.bootstrap.internal_listener", TypedConfig: internal}},
	}
}

// accepted asks Envoy whether it would start so.
func accepted(t testing.TB, path string, b *bootstrapv3.Bootstrap) error {
	t.Helper()
	text, err := protojson.Marshal(b)
	if err != nil {
		return err
	}
	file := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--mode", "validate", "--log-level", "error", "-c", file).CombinedOutput() //nolint:gosec // The program is what this is for.
	if err != nil {
		return fmt.Errorf("refused by Envoy (%w): %s", err, bytes.TrimSpace(out))
	}
	return nil
}
