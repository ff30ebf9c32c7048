package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestStatusesAreWritten(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	s.operate(t, settings{})
	gc, gw, r := class(), gateway("main"), route("a", "main")
	s.create(gc, gw, service("web"), r)
	until(t, "the class is accepted", func() bool {
		get(s, gc)
		return holds(gc.Status.Conditions, "Accepted", gc.Generation) && len(gc.Status.SupportedFeatures) > 30
	})
	until(t, "the Gateway is programmed", func() bool {
		get(s, gw)
		return holds(gw.Status.Conditions, "Programmed", gw.Generation) && len(gw.Status.Addresses) == 1 && attached(s, gw) == 1
	})
	until(t, "the route is accepted", func() bool { return accepted(s, r) })
	s.must(s.client.Delete(context.Background(), r))
	until(t, "nothing is attached", func() bool { return attached(s, gw) == 0 })
}

// Attaching many routes costs one write a route and few of the Gateway.
func TestManyRoutes(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	s.operate(t, settings{})
	const n = 1000
	gw := gateway("main")
	s.create(class(), gw, service("web"))
	until(t, "the Gateway is programmed", func() bool { get(s, gw); return holds(gw.Status.Conditions, "Programmed", 1) })
	for i := range n {
		s.create(route(fmt.Sprintf("r-%d", i), "main"))
	}
	until(t, "all are attached", func() bool { return attached(s, gw) == n })
	until(t, "each was written", func() bool { return s.count("httproutes") >= n })
	if routes, gateways := s.count("httproutes"), s.count("gateways"); routes != n || gateways > 50 {
		t.Errorf("%d writes of %d routes, %d of a Gateway", routes, n, gateways)
	} else {
		t.Logf("%d writes of routes, %d of the Gateway", routes, gateways)
	}
}

// theirs adds entries of another controller to a route's status.
func theirs(s *server, r *gatewayv1.HTTPRoute, n int) {
	s.t.Helper()
	get(s, r)
	for i := range n {
		r.Status.Parents = append(r.Status.Parents, gatewayv1.RouteParentStatus{
			ControllerName: "example.com/other", ParentRef: gatewayv1.ParentReference{Name: gatewayv1.ObjectName(fmt.Sprintf("other-%d", i))},
			Conditions: []metav1.Condition{{Type: "Accepted", Status: "True", Reason: "Accepted", LastTransitionTime: metav1.Now()}},
		})
	}
	s.must(s.client.Status().Update(context.Background(), r))
}

// foreign is what other controllers have written into a route's status, as the
// server holds it.
func foreign(s *server, name string) string {
	s.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"})
	s.must(s.client.Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, u))
	list, _, err := unstructured.NestedSlice(u.Object, "status", "parents")
	s.must(err)
	var kept []any
	for _, e := range list {
		if !strings.HasPrefix(e.(map[string]any)["controllerName"].(string), "sluice.dev/") {
			kept = append(kept, e)
		}
	}
	out, err := json.Marshal(kept)
	s.must(err)
	return string(out)
}

func ours(r *gatewayv1.HTTPRoute) int {
	n := 0
	for _, p := range r.Status.Parents {
		if p.ControllerName == controller {
			n++
		}
	}
	return n
}

func TestSharedStatuses(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	o := s.operate(t, settings{})
	gw := gateway("main")
	s.create(class(), gw, service("web"))
	until(t, "the Gateway is programmed", func() bool { get(s, gw); return holds(gw.Status.Conditions, "Programmed", 1) })

	t.Run("entries of others stay", func(t *testing.T) {
		r := route("shared", "other-0", "other-1", "other-2")
		s.create(r)
		theirs(s, r, 3)
		before := foreign(s, r.Name)
		r.Spec.ParentRefs = append(r.Spec.ParentRefs, gatewayv1.ParentReference{Name: "main"})
		s.must(s.client.Update(context.Background(), r))
		until(t, "the route is accepted", func() bool { return accepted(s, r) })
		r.Spec.ParentRefs = r.Spec.ParentRefs[:3]
		s.must(s.client.Update(context.Background(), r))
		until(t, "our entry has gone", func() bool { return ours(get(s, r)) == 0 })
		if after := foreign(s, r.Name); after != before {
			t.Errorf("entries of others were\n%s\nand are\n%s", before, after)
		}
	})
	t.Run("a full list", func(t *testing.T) {
		full, almost := route("full", "main", "other"), route("almost", "main", "more")
		s.create(full, gateway("more"), almost)
		until(t, "both are accepted", func() bool { return accepted(s, full) && accepted(s, almost) })
		full.Spec.ParentRefs[0].Name, almost.Spec.ParentRefs[0].Name = "gone", "gone"
		almost.Spec.ParentRefs = almost.Spec.ParentRefs[:1]
		for _, r := range []*gatewayv1.HTTPRoute{full, almost} {
			s.must(s.client.Update(context.Background(), r))
			until(t, "no entry is ours", func() bool { return ours(get(s, r)) == 0 })
		}
		theirs(s, full, 32)
		theirs(s, almost, 31)
		before := foreign(s, full.Name) + foreign(s, almost.Name)
		full.Spec.ParentRefs[0].Name = "main"
		s.must(s.client.Update(context.Background(), full))
		almost.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "main"}, {Name: "more"}}
		s.must(s.client.Update(context.Background(), almost))
		until(t, "what fits is written", func() bool { return ours(get(s, almost)) == 1 })
		until(t, "the log says so", func() bool {
			return o.log.count("HTTPRoute default/full") == 1 && o.log.count("HTTPRoute default/almost") == 1
		})
		if after := foreign(s, full.Name) + foreign(s, almost.Name); after != before {
			t.Errorf("entries of others were\n%s\nand are\n%s", before, after)
		}
	})
	t.Run("a storm of conflicts settles", func(t *testing.T) {
		r := route("busy", "main")
		s.create(r)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for i := 0; ctx.Err() == nil; i++ {
			busy := get(s, route("busy"))
			busy.Labels = map[string]string{"n": fmt.Sprint(i)}
			if i%10 == 0 {
				busy.Spec.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(fmt.Sprintf("h%d.example.com", i))}
			}
			if err := s.client.Update(context.Background(), busy); err != nil && !apierrors.IsConflict(err) {
				t.Fatal(err)
			}
		}
		until(t, "the route is accepted", func() bool { return accepted(s, r) })
	})
	t.Run("routes of nobody here", func(t *testing.T) {
		before := len(s.writes())
		for i := range 100 {
			r := route(fmt.Sprintf("foreign-%d", i), "other-0")
			s.create(r)
			theirs(s, r, 1)
		}
		last := route("after-foreign", "main")
		s.create(last)
		until(t, "a later route is accepted", func() bool { return accepted(s, last) })
		for _, w := range s.writes()[before:] {
			if strings.HasPrefix(w.ObjectRef.Name, "foreign-") {
				t.Fatalf("written: %+v", w)
			}
		}
	})
	t.Run("a Gateway that leaves", func(t *testing.T) {
		other := class()
		other.Name, other.Spec.ControllerName = "theirs", "example.com/other"
		moving, r := gateway("moving"), route("stays", "moving")
		s.create(other, moving, r)
		until(t, "all is well", func() bool {
			return accepted(s, r) && holds(get(s, moving).Status.Conditions, "Programmed", 1)
		})
		moving.Spec.GatewayClassName = "theirs"
		s.must(s.client.Update(context.Background(), moving))
		until(t, "nothing of ours is left", func() bool {
			get(s, moving)
			return ours(get(s, r)) == 0 && len(moving.Status.Addresses) == 0 && len(moving.Status.Listeners) == 0 && !holds(moving.Status.Conditions, "Programmed", 1)
		})
		s.must(s.client.Delete(context.Background(), other))
	})
	t.Run("a Gateway that goes", func(t *testing.T) {
		going, r := gateway("going"), route("orphan", "going", "main")
		s.create(going, r)
		until(t, "both parents are written", func() bool { return ours(get(s, r)) == 2 })
		s.must(s.client.Delete(context.Background(), going))
		until(t, "one is left", func() bool { return ours(get(s, r)) == 1 })
	})
}

// What the API server refuses, or stores otherwise, is not written for ever.
func TestOddServers(t *testing.T) {
	s := newServer(t)
	list := crds(t, "experimental")
	for _, crd := range list {
		switch crd.Spec.Names.Plural {
		case "httproutes":
			// It refuses messages.
			item := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"].Properties["parents"].Items.Schema.Properties["conditions"].Items.Schema
			short, message := int64(3), item.Properties["message"]
			message.MaxLength = &short
			item.Properties["message"] = message
		case "grpcroutes":
			// It forgets messages.
			item := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"].Properties["parents"].Items.Schema.Properties["conditions"].Items.Schema
			delete(item.Properties, "message")
			item.Required = []string{"type"}
		}
	}
	s.install(list...)
	o := s.operate(t, settings{})
	port := gatewayv1.PortNumber(8080)
	forgotten := &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "forgotten"}}
	forgotten.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "main"}}
	forgotten.Spec.Hostnames = []gatewayv1.Hostname{"grpc.example.com"}
	forgotten.Spec.Rules = []gatewayv1.GRPCRouteRule{{BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: "web", Port: &port},
	}}}}}
	gw := gateway("main")
	s.create(class(), gw, service("web"), route("refused", "main"), forgotten)
	until(t, "both are attached", func() bool { return attached(s, gw) == 2 })
	until(t, "one is refused, and the log says so", func() bool { return o.log.count("HTTPRoute default/refused") > 0 })
	until(t, "one is written", func() bool { return s.count("grpcroutes") == 1 })
	// Whatever would write again has had its chance when something later is done.
	for i := range 5 {
		later := gateway(fmt.Sprintf("later-%d", i))
		s.create(later)
		until(t, "a later Gateway is programmed", func() bool { return holds(get(s, later).Status.Conditions, "Programmed", 1) })
	}
	tries := 0
	for _, w := range s.writes() {
		if w.ObjectRef.Resource == "httproutes" {
			tries++
		}
	}
	if o.counted(t, "HTTPRoute", "refused") != tries || o.counted(t, "GRPCRoute", "written") != 1 || o.counted(t, "Gateway", "written") < 6 {
		t.Error("the metrics do not count the writes")
	}
	if n := s.count("grpcroutes"); tries > 2 || n != 1 {
		t.Errorf("a refused status was written %d times, one that is stored otherwise %d times", tries, n)
	}
}

// Who does not lead writes nothing; who begins to lead leaves what is there as it
// is until the proxies have answered.
func TestLeaders(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	first := s.operate(t, settings{})
	gw, r := gateway("main"), route("a", "main")
	s.create(class(), gw, service("web"), r)
	until(t, "all is well", func() bool {
		return accepted(s, r) && attached(s, gw) == 1 && holds(gw.Status.Conditions, "Programmed", 1) && len(gw.Status.Addresses) == 1
	})
	first.stop()
	before, listener := get(s, gw).ResourceVersion, route("b", "main")
	s.create(listener)
	second := s.operate(t, settings{follower: true, silent: true})
	until(t, "the second knows everything", func() bool {
		snapshot := second.last.get()
		return snapshot.Complete && len(snapshot.Units) == 1 && len(snapshot.Units[0].Output.Reports) == 3
	})
	if get(s, gw).ResourceVersion != before || ours(get(s, listener)) != 0 {
		t.Error("written without leading")
	}
	second.lead()
	until(t, "the new route is written", func() bool { return accepted(s, listener) && attached(s, gw) == 2 })
	if !holds(gw.Status.Conditions, "Programmed", 1) || len(gw.Status.Addresses) != 1 {
		t.Errorf("a new leader changed what it does not know: %+v", gw.Status)
	}
}
