package record

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

// event is what a line says.
type event struct {
	entry accesslog.Entry
	took  time.Duration
	// shed is why there was too much to do; empty where there was not.
	shed string
}

// read fills an event in. Of is what took the request or stream, and backend the
// one that it came to, if any.
func (e *event) read(l *line, of *known, backend string) {
	began, _ := time.Parse(time.RFC3339Nano, l[envoy.LogTime])
	*e = event{took: l.took()}
	e.entry = accesslog.Entry{
		Time: began, Client: l[envoy.LogClient], Host: canonical(l[envoy.LogHost]), Protocol: l[envoy.LogProtocol],
		Bytes: number(l[envoy.LogBytes]), Millis: e.took.Milliseconds(),
		Listener: of.Listener, Route: of.Route, Rule: of.rule, Backend: of.Backend, Endpoint: l[envoy.LogEndpoint],
	}
	if backend != "" {
		e.entry.Backend = backend
	}
	if e.entry.Endpoint != "" {
		e.entry.Tries = max(1, int(number(l[envoy.LogTries])))
	}
	if l.isStream() {
		e.readStream(l, of)
		return
	}
	e.readRequest(l, of)
}

func (e *event) readStream(l *line, of *known) {
	e.entry.BytesIn = number(l[envoy.LogBytesIn])
	e.entry.Flags = l.streamFlag(of.Named)
}

func (e *event) readRequest(l *line, of *known) {
	e.entry.Method, e.entry.Path = l[envoy.LogMethod], l[envoy.LogPath]
	if host, path, ok := strings.Cut(l[envoy.LogAsked], " "); ok {
		e.entry.Host, e.entry.Path = canonical(host), path
	}
	if l.refused() {
		e.entry.Host, e.entry.Path, e.entry.Backend = "", "/", ""
	}
	e.entry.Protocol = protocol(l[envoy.LogProtocol])
	e.entry.RequestID, e.entry.UserAgent = l[envoy.LogRequestID], l[envoy.LogUserAgent]
	e.entry.Status = int(number(l[envoy.LogStatus]))
	e.entry.Flags = l.flagOf(of.Named)
	switch {
	case e.entry.Flags == clientGone && e.entry.Status == 0:
		// What it would have been told, as nothing is no status.
		e.entry.Status = http.StatusBadRequest
	case e.entry.Flags == overloaded && strings.HasPrefix(l[envoy.LogDetails], "overload"):
		e.shed = "memory"
	case e.entry.Flags == overloaded:
		e.shed = "requests"
	}
}

// request is what is counted of an event.
func (e *event) request() admin.Request {
	r := admin.Request{
		Listener: e.entry.Listener, Route: e.entry.Route, Status: e.entry.Status, Duration: e.took, Tries: e.entry.Tries,
	}
	if failures[e.entry.Flags] {
		r.Failure = e.entry.Flags
	}
	return r
}

func (l *line) took() time.Duration {
	if text := l[envoy.LogMicros]; text != "" {
		return time.Duration(number(text)) * time.Microsecond
	}
	return time.Duration(number(l[envoy.LogMillis])) * time.Millisecond
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func protocol(name string) string {
	if strings.HasPrefix(name, "HTTP/1") {
		return "HTTP/1"
	}
	return name
}

// canonical returns an authority's host as hosts are compared.
func canonical(authority string) string {
	host := authority
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return strings.ToLower(host[1:end])
		}
	}
	if at := strings.LastIndexByte(host, ':'); at >= 0 {
		host = host[:at]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
