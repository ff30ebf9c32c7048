package echo_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// steps is a source of Services that ask for servers, one value after the other.
type steps []string

func (steps) Kinds() []resources.Kind { return nil }

func (s steps) Run(_ context.Context, emit func(source.Batch)) error {
	for _, value := range s {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "shop", Annotations: map[string]string{echo.Annotation: value}},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		}
		emit(source.Batch{Events: []resources.Event{{Key: resources.Key{Kind: resources.Service, Namespace: "a", Name: "shop"}, Object: service}}})
	}
	return nil
}

// TestFailuresAreReported: once each, and again when they are mended.
func TestFailuresAreReported(t *testing.T) {
	pool := echo.NewPool(steps{"1", "many", "many", "65", "2"}, false)
	defer pool.Close()
	var told []string
	pool.Report(func(failures []echo.Failure) {
		text := "none"
		for _, f := range failures {
			text = f.Service.String() + " " + f.Field + " " + f.Message
		}
		told = append(told, text)
	})
	slices := 0
	if err := pool.Run(context.Background(), func(b source.Batch) { slices = len(b.Events) - 1 }); err != nil {
		t.Fatal(err)
	}
	want := `Service a/shop metadata.annotations[sluice.dev/echo] "many" is no number of echo servers: want 0 to 64
Service a/shop metadata.annotations[sluice.dev/echo] "65" is no number of echo servers: want 0 to 64
none`
	if got := strings.Join(told, "\n"); got != want || slices != 2 {
		t.Errorf("%d slices, told\n%s\nwant\n%s", slices, got, want)
	}
}

// TestCheckStartsNothing finds the same, and makes no endpoints.
func TestCheckStartsNothing(t *testing.T) {
	check := echo.NewCheck(steps{"many", "2"})
	told, events := 0, 0
	check.Report(func([]echo.Failure) { told++ })
	if err := check.Run(context.Background(), func(b source.Batch) { events += len(b.Events) }); err != nil {
		t.Fatal(err)
	}
	if told != 2 || events != 2 {
		t.Errorf("told %d times, %d events", told, events)
	}
}
