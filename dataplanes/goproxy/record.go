package goproxy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

var _ exchange.Ender = (*transaction)(nil)

// Done counts and logs a request that has ended.
func (t *transaction) Done(sent exchange.Sent) {
	t.leave()
	if t.endMirrors != nil {
		t.endMirrors()
	}
	if sent.Err != nil && t.flag == "" {
		t.flag = cutOff(sent.Err)
		t.failure = t.flag
	}
	if sent.Status != 0 {
		t.status = sent.Status
	}
	took := time.Since(t.began)
	request := admin.Request{
		Status: t.status, Duration: took, Failure: t.failure, Tries: t.reply.Tries,
	}
	if t.hit.Listener != nil {
		request.Listener = t.generation.names[t.hit.Listener.Config.Key]
	}
	if t.hit.Rule != nil {
		request.Route = t.generation.routeNames[t.hit.Rule.Origin.Object]
	}
	t.shared.metrics.Ended(request)
	if t.settings().AccessLog.Enabled && t.shared.log != nil {
		t.write(request, sent.Bytes)
	}
	*t = transaction{}
	transactions.Put(t)
}

// cutOff names why a response was not whole.
func cutOff(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded) || upstream.OutOfTime(err):
		return string(upstream.Timeout)
	case errors.Is(err, context.Canceled):
		return string(upstream.ClientGone)
	default:
		return "cut_off"
	}
}

// write writes a line of the access log.
func (t *transaction) write(r admin.Request, bytes int64) {
	in, e := t.in.Request, &t.entry
	var peer [64]byte
	*e = accesslog.Entry{
		Time: t.began, Client: in.Words.Keep(in.Peer.AppendTo(peer[:0])), Method: in.Method, Host: t.host, Path: t.path,
		Protocol: protocol(in), Status: r.Status, Bytes: bytes, Millis: r.Duration.Milliseconds(),
		Listener: r.Listener, Route: r.Route, Tries: r.Tries, Flags: t.flag,
	}
	if t.hit.Rule != nil {
		e.Rule = &t.hit.Rule.Origin.Rule
	}
	if t.use != nil && t.use.Backend != nil {
		e.Backend = t.generation.backendNames[*t.use.Backend]
	}
	e.Endpoint = t.reply.Name
	e.RequestID, _ = in.Header.Get("X-Request-Id")
	e.UserAgent, _ = in.Header.Get("User-Agent")
	t.shared.log.Write(e)
}

func protocol(r *exchange.Request) string {
	if r.Proto == 1 {
		return "HTTP/1"
	}
	return "HTTP/" + strconv.Itoa(r.Proto)
}

func backendName(k ir.BackendKey) string {
	return fmt.Sprintf("%s/%s:%d", k.Namespace, k.Service, k.Port)
}
