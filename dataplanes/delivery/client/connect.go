package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
)

// connect keeps a stream to the operator that leads until linked ends. Sets are
// applied under ctx.
func (c *client) connect(ctx, linked context.Context) {
	w := wait{refused: c.times.Refused}
	var s said
	for linked.Err() == nil {
		met, err := c.round(ctx, linked)
		if linked.Err() != nil {
			return
		}
		if s.isNew(err) {
			c.opts.Log.Info("There is no stream to the operator", "operator", c.opts.Operator, "why", err.Error())
		}
		select {
		case <-time.After(w.next(met, isRefusal(err))):
		case <-linked.Done():
		}
	}
}

// round tries each address of the operator once, until one is of the leader; it
// returns when its stream has ended, or all have failed.
func (c *client) round(ctx, linked context.Context) (met bool, err error) {
	found, err := c.opts.Lookup(linked, c.host)
	if err != nil {
		return false, fmt.Errorf("the operator's host cannot be resolved: %w", err)
	}
	if len(found) == 0 {
		return false, fmt.Errorf("%s has no address", c.host)
	}
	var refused error
	for _, i := range rand.Perm(len(found)) {
		met, err = c.dial(ctx, linked, netip.AddrPortFrom(found[i].Unmap(), c.port))
		switch {
		case met || linked.Err() != nil:
			return met, err
		case isRefusal(err):
			refused = err
			c.counts.failures.WithLabelValues("refused").Inc()
		default:
			c.counts.failures.WithLabelValues("unavailable").Inc()
		}
	}
	if refused != nil {
		err = refused
	}
	return false, err
}

// isRefusal reports whether trying again soon is of no use.
func isRefusal(err error) bool {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented:
		return true
	}
	return false
}

// wait says how long to wait before the next round.
type wait struct {
	refused time.Duration
	failed  int
	denied  int
}

func (w *wait) next(met, refused bool) time.Duration {
	const least, most, mostRefused = 100 * time.Millisecond, 2 * time.Second, 30 * time.Second
	switch {
	case met && !refused && w.failed == 0:
		// The next one to lead may be there already. It is tried at once, once: if
		// its stream ends as well, there is something to wait for.
		w.failed, w.denied = 1, 0
		return 0
	case refused:
		w.denied++
		return jitter(min(w.refused<<min(w.denied-1, 10), mostRefused))
	case met:
		w.failed, w.denied = 0, 0
		return jitter(least)
	}
	w.failed++
	return jitter(min(least<<min(w.failed-1, 10), most))
}

// jitter keeps the pods of a unit from asking in step.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d)
}

// dial opens a connection to one address and serves a stream on it.
func (c *client) dial(ctx, linked context.Context, addr netip.AddrPort) (met bool, err error) {
	roots, err := c.roots()
	if err != nil {
		return false, err
	}
	conn, err := grpc.NewClient("passthrough:///"+addr.String(),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: c.host})),
		grpc.WithPerRPCCredentials(token{c.opts.TokenFile}),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxFrame), grpc.MaxCallSendMsgSize(wire.MaxFrame)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: c.times.Welcome}),
		// A proxy of the environment has no business between the two.
		grpc.WithNoProxy(), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return false, fmt.Errorf("%s: %w", addr, err)
	}
	defer conn.Close()
	return c.talk(ctx, linked, conn)
}

// roots are the bundle of now: it holds two CAs while one is replaced.
func (c *client) roots() (*x509.CertPool, error) {
	bundle, err := os.ReadFile(c.opts.CAFile)
	if err != nil {
		return nil, fmt.Errorf("the CA bundle cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("%s holds no certificate: want a PEM bundle", c.opts.CAFile)
	}
	return pool, nil
}

// token is the pod's own, read for each stream: it is renewed within the hour.
type token struct{ file string }

var _ credentials.PerRPCCredentials = token{}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "the token cannot be read: %v", err)
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(text))}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (token) RequireTransportSecurity() bool { return true }

// said keeps what comes again and again out of the log.
type said struct {
	text string
	at   time.Time
}

func (s *said) isNew(err error) bool {
	const again = 30 * time.Second
	if err == nil || errors.Is(err, errEnded) || err.Error() == s.text && time.Since(s.at) < again {
		return false
	}
	s.text, s.at = err.Error(), time.Now()
	return true
}
