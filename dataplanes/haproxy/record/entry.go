package record

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// event is what a line says. It is good until the next line is read, but for what is
// counted of it.
type event struct {
	entry accesslog.Entry
	took  time.Duration
	// names and endpoints are those that were seen, the latter by their servers.
	names, endpoints texts
}

func newEvent() event { return event{names: texts{}, endpoints: texts{}} }

// read fills an event in. Of is what the row says that has led the request or stream.
func (e *event) read(l *line, of *known) {
	took := time.Duration(number(l[haproxy.LogMillis])) * time.Millisecond
	client := l[haproxy.LogPeer]
	if client == "" {
		client = l[haproxy.LogClient]
	}
	e.took, e.entry = took, accesslog.Entry{
		Time: l.began(), Client: client, Host: l[haproxy.LogHost],
		Bytes: number(l[haproxy.LogBytes]), Millis: took.Milliseconds(),
		Listener: e.names.of(l[haproxy.LogListener], itself), Route: of.Route, Rule: of.rule, Backend: of.Backend,
	}
	e.readServer(l)
	if l.isStream() {
		e.readStream(l, of)
		return
	}
	e.readRequest(l)
}

// began is when the request did; of what was no request, HAProxy does not say.
func (l *line) began() time.Time {
	if at := number(l[haproxy.LogTime]); at != 0 {
		return time.UnixMicro(at)
	}
	return time.Now()
}

// readServer fills in where the request went. Behind a detour it is what came back
// from there.
func (e *event) readServer(l *line) {
	server, again := l[haproxy.LogServer], l.retries()
	if section, served, detoured := strings.Cut(l[haproxy.LogServed], "|"); detoured {
		var tries string
		server, tries, _ = strings.Cut(served, "|")
		e.entry.Backend, again = haproxy.ParseSection(section), int(number(tries))
	}
	e.entry.Endpoint = e.endpoints.of(server, endpoint)
	if e.entry.Endpoint != "" || again > 0 {
		e.entry.Tries = 1 + again
	}
}

// endpoint is the address and port that a server's name is made of; empty for one of
// another kind.
func endpoint(server string) string {
	at := strings.IndexByte(server, '_')
	if at < 0 {
		return ""
	}
	host, port := server[:at], server[at+1:]
	if more := strings.IndexByte(port, '_'); more >= 0 {
		port = port[:more]
	}
	if strings.Contains(host, "-") {
		return "[" + strings.ReplaceAll(host, "-", ":") + "]:" + port
	}
	return host + ":" + port
}

func (e *event) readStream(l *line, of *known) {
	e.entry.Listener, e.entry.Protocol = of.Listener, of.protocol
	e.entry.Flags = e.names.of(l.streamFlag(of), itself)
	if of.Route != "" {
		e.entry.BytesIn = number(l[haproxy.LogBytesIn])
	}
}

func (e *event) readRequest(l *line) {
	e.entry.Method, e.entry.Path = l[haproxy.LogMethod], l[haproxy.LogPath]
	e.entry.Protocol = protocol(l[haproxy.LogProtocol])
	e.entry.Status, _ = strconv.Atoi(l[haproxy.LogStatus])
	e.entry.RequestID, e.entry.UserAgent = l[haproxy.LogRequestID], l[haproxy.LogUserAgent]
	e.entry.Flags = e.names.of(l.flagOf(), itself)
	if l[haproxy.LogTo] == "" && l[haproxy.LogListener] == "" {
		// It was turned away for what it is, and nobody's host was asked for.
		e.entry.Host, e.entry.Path = "", "/"
	}
}

// protocol is "HTTP/2" of "2".
func protocol(version string) string {
	switch version {
	case "2":
		return "HTTP/2"
	case "3":
		return "HTTP/3"
	default:
		return "HTTP/1"
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
