package gatewayapi_test

import (
	"os"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

var edge = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "edge"}

// world is a set with a seed file in it, and its translator.
type world struct {
	t   *testing.T
	set *resources.Set
	tr  *gatewayapi.Translator
}

func newWorld(t *testing.T, file string) *world {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	set := resources.NewSet(gatewayapi.Indexes()...)
	w := &world{t, set, newTranslator(set)}
	w.apply(decode(text)...)
	return w
}

func (w *world) apply(events ...resources.Event) gatewayapi.Touched {
	return w.tr.Touched(w.set.Apply(events))
}

// edit applies a changed copy of an object.
func edit[T resources.Object](w *world, kind resources.Kind, namespace, name string, change func(T)) gatewayapi.Touched {
	w.t.Helper()
	key := resources.Key{Kind: kind, Namespace: namespace, Name: name}
	obj, state := resources.Get[T](w.set.NewView(), key)
	if state != resources.Present {
		w.t.Fatalf("%v is not there", key)
	}
	copied := any(obj).(interface{ DeepCopyObject() runtime.Object }).DeepCopyObject().(T)
	change(copied)
	return w.apply(resources.Event{Key: key, Object: copied})
}

func TestWhatDidNotChangeStays(t *testing.T) {
	w := newWorld(t, "http.yaml")
	before := w.tr.Translate(edge)
	w.tr.Endpoints(edge)
	edit(w, resources.HTTPRoute, "apps", "web", func(r *gatewayv1.HTTPRoute) { r.Spec.Rules = r.Spec.Rules[:2] })
	after := w.tr.Translate(edge)
	for i := range before.Proxy.Routes {
		changed := before.Proxy.Routes[i].Origin.Name == "web"
		if (before.Proxy.Routes[i] == after.Proxy.Routes[i]) == changed {
			t.Errorf("%v: changed is %v", before.Proxy.Routes[i].Origin, changed)
		}
	}
	if !slices.Equal(before.Proxy.Backends, after.Proxy.Backends) || !slices.Equal(before.Proxy.Listeners, after.Proxy.Listeners) {
		t.Error("one rule less made other backends or listeners")
	}
	for i := range before.Reports {
		if before.Reports[i] != after.Reports[i] && before.Reports[i].Object.Name != "web" {
			t.Errorf("the report about %v was made anew", before.Reports[i].Object)
		}
	}
}

func TestTouched(t *testing.T) {
	w := newWorld(t, "http.yaml")
	w.tr.Translate(edge)
	w.tr.Endpoints(edge)
	for _, c := range []struct {
		what             string
		touch            func() gatewayapi.Touched
		units, endpoints int
		classes          bool
	}{
		{"an EndpointSlice", func() gatewayapi.Touched {
			return w.apply(resources.Event{Key: resources.Key{Kind: resources.EndpointSlice, Namespace: "other", Name: "two-a"}})
		}, 0, 1, false},
		{"a DNS answer", func() gatewayapi.Touched {
			return w.apply(resources.Event{Key: resources.DNSAnswerKey("api.example.net"), Object: resources.NewDNSAnswer("api.example.net", "192.0.2.1")})
		}, 0, 1, false},
		{"a DNS answer of which nothing may be used", func() gatewayapi.Touched {
			return w.apply(resources.Event{Key: resources.DNSAnswerKey("api.example.net"), Object: resources.NewDNSAnswer("api.example.net", "127.0.0.1")})
		}, 1, 0, false},
		{"a good one again", func() gatewayapi.Touched {
			return w.apply(resources.Event{Key: resources.DNSAnswerKey("api.example.net"), Object: resources.NewDNSAnswer("api.example.net", "192.0.2.2")})
		}, 1, 0, false},
		{"a Service", func() gatewayapi.Touched {
			return edit(w, resources.Service, "apps", "one", func(s *corev1.Service) { s.Spec.Ports[0].AppProtocol = ptr("http") })
		}, 1, 0, false},
		{"a grant that goes", func() gatewayapi.Touched {
			return w.apply(resources.Event{Key: resources.Key{Kind: resources.ReferenceGrant, Namespace: "other", Name: "grant"}})
		}, 1, 0, false},
		{"a namespace's labels", func() gatewayapi.Touched {
			return edit(w, resources.Namespace, "", "apps", func(n *corev1.Namespace) { n.Labels = nil })
		}, 1, 0, false},
		{"a Secret that nobody uses", func() gatewayapi.Touched {
			return w.apply(event(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "other"}}))
		}, 0, 0, false},
		{"a Gateway of another controller", func() gatewayapi.Touched {
			return w.apply(event(&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "other"}, Spec: gatewayv1.GatewaySpec{GatewayClassName: "theirs"}}))
		}, 0, 0, false},
		{"its class, which turns out to be ours", func() gatewayapi.Touched {
			return w.apply(event(&gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller}}))
		}, 1, 0, true},
	} {
		touched := c.touch()
		if len(touched.Units) != c.units || len(touched.Endpoints) != c.endpoints || touched.Classes != c.classes {
			t.Errorf("%s touched %+v", c.what, touched)
		}
		for _, unit := range append(touched.Units, touched.Endpoints...) {
			w.tr.Translate(unit)
			w.tr.Endpoints(unit)
		}
	}
}

// A class that goes takes its Gateways along.
func TestGatewayThatGoes(t *testing.T) {
	w := newWorld(t, "http.yaml")
	w.tr.Translate(edge)
	touched := w.apply(resources.Event{Key: resources.Key{Kind: resources.GatewayClass, Name: "sluice"}})
	if len(touched.Units) != 1 || !touched.Classes {
		t.Errorf("a class that goes touched %+v", touched)
	}
	if out := w.tr.Translate(edge); out.Proxy != nil || out.Pending || len(out.Reports) != 0 {
		t.Errorf("a Gateway without a class is %+v", out)
	}
	if len(w.tr.Endpoints(edge)) != 0 || len(w.tr.Units()) != 0 || len(w.tr.Classes()) != 0 {
		t.Error("something of it is left")
	}
}

// While a kind has not been listed, nothing is decided that it could change.
func TestPending(t *testing.T) {
	for _, kind := range []resources.Kind{
		resources.Service, resources.EndpointSlice, resources.ReferenceGrant, resources.BackendTLSPolicy,
		resources.ListenerSet, resources.GRPCRoute, resources.ConfigMap, resources.Secret,
	} {
		text, err := os.ReadFile("testdata/streams.yaml")
		if err != nil {
			t.Fatal(err)
		}
		set := resources.NewSet(gatewayapi.Indexes()...)
		tr := newTranslator(set)
		tr.Touched(set.SetPending(kind, true))
		var listed, late []resources.Event
		for _, e := range decode(text) {
			if e.Key.Kind == kind {
				late = append(late, e)
				continue
			}
			listed = append(listed, e)
		}
		tr.Touched(set.Apply(listed))
		if !tr.Translate(edge).Pending {
			t.Errorf("%s: the unit does not wait for it", kind)
		}
		touched := tr.Touched(append(set.Apply(late), set.SetPending(kind, false)...))
		if !slices.Contains(touched.Units, edge) || tr.Translate(edge).Pending {
			t.Errorf("%s: the unit still waits for it", kind)
		}
	}
}

func TestPendingClass(t *testing.T) {
	w := newWorld(t, "http.yaml")
	class := resources.Key{Kind: resources.GatewayClass, Name: "sluice"}
	w.tr.Touched(w.set.SetPending(resources.GatewayClass, true))
	w.apply(resources.Event{Key: class})
	if out := w.tr.Translate(edge); !out.Pending {
		t.Error("a Gateway whose class may still appear is taken for gone")
	}
}

// What an ExternalName resolves to is checked however it is written.
func TestExternalNamesLeadNowhereBad(t *testing.T) {
	for _, c := range []struct {
		address string
		want    int
	}{
		{"192.0.2.7", 1}, {"10.0.0.1", 1}, {"2001:db8::1", 1},
		{"127.0.0.1", 0}, {"127.9.9.9", 0}, {"::1", 0}, {"0.0.0.0", 0}, {"0.1.2.3", 0}, {"::", 0},
		{"169.254.169.254", 0}, {"169.254.0.1", 0}, {"fe80::1", 0}, {"fe80::1%eth0", 0}, {"224.0.0.1", 0}, {"ff02::1", 0},
		{"fd00:ec2::254", 0}, {"100.100.100.200", 0}, {"::ffff:127.0.0.1", 0}, {"::ffff:169.254.169.254", 0},
		{"64:ff9b::7f00:1", 0}, {"64:ff9b::a9fe:a9fe", 0}, {"64:ff9b::c000:207", 1}, {"2002:7f00:1::", 0}, {"nonsense", 0},
	} {
		w := newWorld(t, "http.yaml")
		w.apply(resources.Event{Key: resources.DNSAnswerKey("api.example.net"), Object: resources.NewDNSAnswer("api.example.net", c.address)})
		if out := w.tr.Translate(edge); !slices.Equal(out.Names, []string{"api.example.net"}) {
			t.Fatalf("names to resolve are %v", out.Names)
		}
		for _, e := range w.tr.Endpoints(edge) {
			if e.Key.Service == "outside" && len(e.Endpoints) != c.want {
				t.Errorf("%s: endpoints are %v", c.address, e.Endpoints)
			}
		}
	}
}

// Which ports are reserved is for the engine to say.
func TestReservedPort(t *testing.T) {
	w := newWorld(t, "http.yaml")
	w.tr = gatewayapi.New(w.set, gatewayapi.Options{
		Controllers:   controllers,
		ReservedPorts: map[uint16]string{80: "the proxy's metrics use it"},
	})
	out := w.tr.Translate(edge)
	for _, report := range out.Reports {
		if report.Object.Kind == resources.Gateway && !slices.ContainsFunc(report.Subjects[1].Findings, func(f findings.Finding) bool { return f.Code == findings.PortUnavailable }) {
			t.Errorf("port 80 is reserved, and the listener says %v", report.Subjects[1].Findings)
		}
	}
}
