package engine_test

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// miser is a source that gives contents away when they are asked for.
type miser struct {
	script
	wanted, forgotten chan []resources.Key
}

var _ source.Lazy = (*miser)(nil)

func (m *miser) Kinds() []resources.Kind {
	return []resources.Kind{resources.Gateway, resources.Secret}
}
func (m *miser) Want(keys []resources.Key)      { m.wanted <- keys }
func (m *miser) Forget(keys []resources.Key)    { m.forgotten <- keys }
func (m *miser) emit(events ...resources.Event) { m.batches <- source.Batch{Events: events} }

// Contents are asked for when something refers to them, waited for, and given up
// when nothing does any more.
func TestContents(t *testing.T) {
	m := &miser{script: script{batches: make(chan source.Batch)}, wanted: make(chan []resources.Key, 9), forgotten: make(chan []resources.Key, 9)}
	r := &rig{t: t, snapshots: make(chan engine.Snapshot, 1)}
	opts := options(r)
	opts.Source, opts.Dataplanes = m, nil
	r.engine = engine.New(opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	gw := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "main", Generation: 1},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "sluice", Listeners: []gatewayv1.Listener{{
			Name: "https", Port: 443, Protocol: gatewayv1.HTTPSProtocolType,
			TLS: &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "cert"}}},
		}}},
	}
	key := func(name string) resources.Key {
		return resources.Key{Kind: resources.Secret, Namespace: "default", Name: name}
	}
	m.batches <- source.Batch{Listed: m.Kinds(), Events: []resources.Event{
		object(resources.GatewayClass, &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "sluice"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller}}),
		object(resources.Gateway, gw),
		{Key: key("cert"), Object: resources.NewStub(key("cert"))}, {Key: key("other"), Object: resources.NewStub(key("other"))},
	}}
	if got := <-m.wanted; !slices.Equal(got, []resources.Key{key("cert")}) {
		t.Fatalf("wanted: %v", got)
	}
	r.until("nothing is said of the Gateway", func(s engine.Snapshot) bool { return len(s.Classes) == 1 && len(s.Units) == 0 && !s.Complete })
	m.emit(object(resources.Secret, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cert"}}))
	r.until("the Gateway is translated", func(s engine.Snapshot) bool { return len(s.Units) == 1 && s.Complete })
	plain := gw.DeepCopy()
	plain.Spec.Listeners = []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}}
	m.emit(object(resources.Gateway, plain))
	if got := <-m.forgotten; !slices.Equal(got, []resources.Key{key("cert")}) {
		t.Fatalf("forgotten: %v", got)
	}
	m.emit(object(resources.Gateway, gw))
	if got := <-m.wanted; !slices.Equal(got, []resources.Key{key("cert")}) {
		t.Errorf("wanted again: %v", got)
	}
}
