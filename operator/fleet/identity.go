package fleet

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
)

// The keys under which the API server says which pod a token is bound to.
const (
	podName = "authentication.kubernetes.io/pod-name"
	podUID  = "authentication.kubernetes.io/pod-uid"
)

// Reviewer returns what asks the API server whose token one is.
func Reviewer(c client.Client) func(context.Context, string) (server.Peer, error) {
	return func(ctx context.Context, token string) (server.Peer, error) {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{wire.Audience}}}
		if err := c.Create(ctx, review); err != nil {
			return server.Peer{}, fmt.Errorf("the API server cannot be asked about a token: %w", err)
		}
		return peerOf(&review.Status)
	}
}

// peerOf reads an answer, which is final. A token that is bound to no pod, or to another audience,
// is nobody's here.
func peerOf(s *authenticationv1.TokenReviewStatus) (server.Peer, error) {
	if !s.Authenticated {
		return server.Peer{}, fmt.Errorf("%w: the API server does not accept the token: %s", server.ErrRefused, s.Error)
	}
	if len(s.Audiences) != 1 || s.Audiences[0] != wire.Audience {
		return server.Peer{}, fmt.Errorf("%w: the token is not for the audience %s", server.ErrRefused, wire.Audience)
	}
	account, ok := strings.CutPrefix(s.User.Username, "system:serviceaccount:")
	namespace, name, two := strings.Cut(account, ":")
	if !ok || !two || strings.Contains(name, ":") {
		return server.Peer{}, fmt.Errorf("%w: the token is not a ServiceAccount's", server.ErrRefused)
	}
	p := server.Peer{Namespace: namespace, ServiceAccount: name, Pod: one(s.User.Extra[podName]), PodUID: one(s.User.Extra[podUID])}
	if p.Pod == "" || p.PodUID == "" {
		return server.Peer{}, fmt.Errorf("%w: the token is not bound to a pod: mount it as a projected volume", server.ErrRefused)
	}
	return p, nil
}

func one(values authenticationv1.ExtraValue) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
