package fleet

import (
	"errors"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
)

func TestWhoseToken(t *testing.T) {
	good := func() *authenticationv1.TokenReviewStatus {
		return &authenticationv1.TokenReviewStatus{
			Authenticated: true, Audiences: []string{wire.Audience},
			User: authenticationv1.UserInfo{
				Username: "system:serviceaccount:team:web-1",
				Extra:    map[string]authenticationv1.ExtraValue{podName: {"web-abc"}, podUID: {"1-2-3"}},
			},
		}
	}
	p, err := peerOf(good())
	if err != nil || p.Namespace != "team" || p.ServiceAccount != "web-1" || p.Pod != "web-abc" || p.PodUID != "1-2-3" {
		t.Errorf("%+v, %v", p, err)
	}
	for want, spoil := range map[string]func(*authenticationv1.TokenReviewStatus){
		"does not accept":          func(s *authenticationv1.TokenReviewStatus) { s.Authenticated = false },
		"is not for the audience":  func(s *authenticationv1.TokenReviewStatus) { s.Audiences = []string{"https://kubernetes.default.svc"} },
		"not for the audience":     func(s *authenticationv1.TokenReviewStatus) { s.Audiences = nil },
		"is not a ServiceAccount":  func(s *authenticationv1.TokenReviewStatus) { s.User.Username = "admin" },
		"not a ServiceAccount's":   func(s *authenticationv1.TokenReviewStatus) { s.User.Username = "system:serviceaccount:a:b:c" },
		"is not bound to a pod":    func(s *authenticationv1.TokenReviewStatus) { s.User.Extra = nil },
		"mount it as a projected":  func(s *authenticationv1.TokenReviewStatus) { delete(s.User.Extra, podUID) },
		"not bound to a pod: moun": func(s *authenticationv1.TokenReviewStatus) { s.User.Extra[podName] = []string{"a", "b"} },
	} {
		s := good()
		spoil(s)
		if _, err := peerOf(s); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
