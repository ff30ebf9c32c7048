package conformance

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// claimed returns what the GatewayClass says that it supports. What the suite
// has and the class does not say is told loudly: nothing else tests for it.
func (w *world) claimed(t *testing.T) suite.FeaturesSet {
	t.Helper()
	var class gatewayv1.GatewayClass
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := w.client.Get(ctx, client.ObjectKey{Name: className}, &class); err != nil {
			return false, err
		}
		return accepted(&class), nil
	})
	if err != nil {
		t.Fatalf("GatewayClass %s is not accepted: %v; its status: %+v", className, err, class.Status)
	}
	claimed := suite.FeaturesSet{}
	for _, f := range class.Status.SupportedFeatures {
		claimed.Insert(features.FeatureName(f.Name))
	}
	w.compare(t, claimed)
	return claimed
}

func accepted(class *gatewayv1.GatewayClass) bool {
	c := meta.FindStatusCondition(class.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted))
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == class.Generation
}

// compare holds the claims to all that there are tests for: on the experimental
// channel every feature, on the standard one those that are not experimental.
func (w *world) compare(t *testing.T, claimed suite.FeaturesSet) {
	t.Helper()
	missing, must := sets.Set[string]{}, false
	for f := range features.AllFeatures {
		if strings.HasPrefix(string(f.Name), "Mesh") || claimed.Has(f.Name) {
			continue
		}
		missing.Insert(string(f.Name) + " (" + string(f.Channel) + ")")
		must = must || w.options.channel == string(f.Channel) || w.options.channel == features.FeatureChannelExperimental
	}
	if len(missing) == 0 {
		return
	}
	list := strings.Join(sets.List(missing), ", ")
	banner := strings.Repeat("!", 72)
	_, _ = os.Stderr.WriteString(banner + "\nNOT CLAIMED, so not tested: " + list + "\n" + banner + "\n")
	if must {
		t.Errorf("the GatewayClass does not claim %s, and its CRDs have what it takes", list)
	}
}
