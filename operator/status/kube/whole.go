package kube

import (
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/status"
)

// whole is a status that one controller writes: of a Gateway, a ListenerSet or a
// GatewayClass, in one shape.
type whole struct {
	conditions []metav1.Condition
	listeners  []gatewayv1.ListenerStatus
	addresses  []gatewayv1.GatewayStatusAddress
	attached   *int32
	features   []gatewayv1.SupportedFeature
}

// wholeOf reads the status of an object as the server has it.
func wholeOf(obj client.Object) *whole {
	switch o := obj.(type) {
	case *gatewayv1.Gateway:
		return wholeOfStatus(&status.Status{Gateway: &o.Status})
	case *gatewayv1.ListenerSet:
		return wholeOfStatus(&status.Status{ListenerSet: &o.Status})
	case *gatewayv1.GatewayClass:
		return wholeOfStatus(&status.Status{Class: &o.Status})
	}
	return nil
}

func wholeOfStatus(s *status.Status) *whole {
	switch {
	case s.Gateway != nil:
		return &whole{
			conditions: s.Gateway.Conditions, listeners: s.Gateway.Listeners,
			addresses: s.Gateway.Addresses, attached: s.Gateway.AttachedListenerSets,
		}
	case s.ListenerSet != nil:
		w := &whole{conditions: s.ListenerSet.Conditions}
		for i := range s.ListenerSet.Listeners {
			w.listeners = append(w.listeners, gatewayv1.ListenerStatus(s.ListenerSet.Listeners[i]))
		}
		return w
	case s.Class != nil:
		return &whole{conditions: s.Class.Conditions, features: s.Class.SupportedFeatures}
	}
	return &whole{}
}

// json is the status as it is applied.
func (w *whole) json(s *status.Status) any {
	switch {
	case s.Gateway != nil:
		return gatewayv1.GatewayStatus{Addresses: w.addresses, Conditions: w.conditions, Listeners: w.listeners, AttachedListenerSets: w.attached}
	case s.ListenerSet != nil:
		out := gatewayv1.ListenerSetStatus{Conditions: w.conditions}
		for i := range w.listeners {
			out.Listeners = append(out.Listeners, gatewayv1.ListenerEntryStatus(w.listeners[i]))
		}
		return out
	default:
		return gatewayv1.GatewayClassStatus{Conditions: w.conditions, SupportedFeatures: w.features}
	}
}

// over returns what is wanted with the times of what is there. With hold,
// whether anything is programmed and the addresses stay as they are, where the
// server has been told before: nothing is known of the proxies yet.
func (w *whole) over(have *whole, hold bool, now metav1.Time) *whole {
	out := *w
	out.conditions = dated(held(w.conditions, have.conditions, hold), have.conditions, now)
	if hold && len(have.addresses) > 0 {
		out.addresses = have.addresses
	}
	out.listeners = slices.Clone(w.listeners)
	for i := range out.listeners {
		l := &out.listeners[i]
		var old []metav1.Condition
		if at := have.listener(l.Name); at != nil {
			old = at.Conditions
		}
		l.Conditions = dated(held(l.Conditions, old, hold), old, now)
	}
	return &out
}

// held puts the server's word on Programmed in the place of one that says no
// more than that it is too early to know.
func held(want, have []metav1.Condition, hold bool) []metav1.Condition {
	old := find(have, programmed)
	if !hold || old == nil || old.Status == metav1.ConditionUnknown {
		return want
	}
	out := slices.Clone(want)
	if c := find(out, programmed); c != nil && c.Reason == string(gatewayv1.GatewayReasonPending) {
		*c = *old
	}
	return out
}

func (w *whole) listener(name gatewayv1.SectionName) *gatewayv1.ListenerStatus {
	for i := range w.listeners {
		if w.listeners[i].Name == name {
			return &w.listeners[i]
		}
	}
	return nil
}

// change is how far apart two statuses are.
type change int

const (
	// none: there is nothing to write.
	none change = iota
	// counts: nothing but how much is attached.
	counts
	// news: what somebody may be waiting for.
	news
)

// against compares a status with the one that is there.
func (w *whole) against(have *whole) change {
	far := none
	if !equalPointers(w.attached, have.attached) {
		far = counts
	}
	if !alike(w.conditions, have.conditions, true) || !slices.Equal(w.features, have.features) ||
		!reflect.DeepEqual(list0(w.addresses), list0(have.addresses)) || len(w.listeners) != len(have.listeners) {
		return news
	}
	for i := range w.listeners {
		l := &w.listeners[i]
		old := have.listener(l.Name)
		if old == nil || !alike(l.Conditions, old.Conditions, true) || !reflect.DeepEqual(list0(l.SupportedKinds), list0(old.SupportedKinds)) {
			return news
		}
		if l.AttachedRoutes != old.AttachedRoutes {
			far = counts
		}
	}
	return far
}

// list0 makes no list and an empty one the same.
func list0[T any](l []T) []T {
	if len(l) == 0 {
		return nil
	}
	return l
}

func equalPointers(a, b *int32) bool { return orDefault(a, 0) == orDefault(b, 0) }

// seenBy reports whether somebody has written who saw a later generation.
func (w *whole) seenBy(generation int64) bool {
	if newer(w.conditions, generation) {
		return true
	}
	return slices.ContainsFunc(w.listeners, func(l gatewayv1.ListenerStatus) bool { return newer(l.Conditions, generation) })
}
