package parity

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/test/parity/pki"
)

// Step is one line of a case's script. Exactly one of Request, Raw, GRPC,
// WebSocket, Stream, Datagram, Edit and Wait is set.
type Step struct {
	Name      string     `json:"name"`
	Request   *Request   `json:"request,omitempty"`
	Raw       *Raw       `json:"raw,omitempty"`
	GRPC      *GRPC      `json:"grpc,omitempty"`
	WebSocket *WebSocket `json:"websocket,omitempty"`
	Stream    *Stream    `json:"stream,omitempty"`
	Datagram  *Datagram  `json:"datagram,omitempty"`
	Edit      *Edit      `json:"edit,omitempty"`
	// Wait holds the script until the conditions are there. As the first step
	// it takes the place of the wait for every Gateway to be Programmed.
	Wait   []Until `json:"wait,omitempty"`
	Expect Expect  `json:"expect,omitzero"`
	// Eventually makes the step again until it goes well, for what no status
	// shows.
	Eventually bool `json:"eventually,omitempty"`
	// Arrived is what backends got of this step beside the answer: mirrors and
	// authorization servers.
	Arrived []Arrived `json:"arrived,omitempty"`
	// Only names the dataplanes that play the step, with commas between them, where the
	// docs say that proxies differ: the others have a step of their own. Default: all.
	Only string `json:"only,omitempty"`
	// Save keeps values for later steps, which write them as ${name}: from
	// "header:Name", or "answer:endpoint".
	Save map[string]string `json:"save,omitempty"`
}

// Target says where a step connects to.
type Target struct {
	// Gateway is "namespace/name"; the only one where it is left out.
	Gateway string `json:"gateway,omitempty"`
	// Port is a listener's port as in.yaml writes it. Default: 80, with TLS 443.
	Port int `json:"port,omitempty"`
	// SNI is the host where it is left out; an empty one sends none.
	SNI *string `json:"sni,omitempty"`
	// ClientCert is shown to a listener that asks.
	ClientCert *pki.Leaf `json:"clientCert,omitempty"`
	// TLS makes the connection of a raw, gRPC or WebSocket step one of TLS.
	TLS bool `json:"tls,omitempty"`
	// MaxTLS is "1.2" or, if left out, the newest version.
	MaxTLS string `json:"maxTLS,omitempty"`
}

// Request is one HTTP request.
type Request struct {
	Target
	// Method is GET where it is left out.
	Method string `json:"method,omitempty"`
	// Scheme is "http" or "https". Default: http.
	Scheme string `json:"scheme,omitempty"`
	// Claims is the scheme that a request of h2c names, where it is another one.
	Claims string `json:"claims,omitempty"`
	// Host is the authority. Default: a.example.
	Host string `json:"host,omitempty"`
	// Path is sent as it is written. Default: "/".
	Path string `json:"path,omitempty"`
	// Headers are fields, "Name: value", sent with the case that they have.
	Headers  []string `json:"headers,omitempty"`
	Body     string   `json:"body,omitempty"`
	BodySize int      `json:"bodySize,omitempty"`
	// Chunked sends the body without saying its length.
	Chunked  bool     `json:"chunked,omitempty"`
	Trailers []string `json:"trailers,omitempty"`
	// Protocol is http1, h2, h2c or h3. Default: http1.
	Protocol string `json:"protocol,omitempty"`
	// Times is how often the request is made; Concurrency of them at once.
	Times       int `json:"times,omitempty"`
	Concurrency int `json:"concurrency,omitempty"`
	// Jar keeps cookies from one step to the next under a name.
	Jar string `json:"jar,omitempty"`
}

// Raw is bytes on a connection, for what no HTTP client would send.
type Raw struct {
	Target
	Send string `json:"send"`
	// Receive are regular expressions of which each must match what came before
	// the connection was closed or was quiet after a whole answer.
	Receive []string `json:"receive,omitempty"`
	// Never are regular expressions of which none may match.
	Never []string `json:"never,omitempty"`
	// Closed requires that the proxy closed the connection.
	Closed bool `json:"closed,omitempty"`
}

// GRPC is one gRPC call, or several on one connection.
type GRPC struct {
	Target
	// Authority is a.example where it is left out.
	Authority string `json:"authority,omitempty"`
	// Method is "/service/method".
	Method   string   `json:"method"`
	Metadata []string `json:"metadata,omitempty"`
	// Messages are sent one after the other; with Lockstep each waits for the
	// answer to the one before. Default: one.
	Messages []string `json:"messages,omitempty"`
	Lockstep bool     `json:"lockstep,omitempty"`
	// Deadline is the client's own, a Go duration.
	Deadline    string `json:"deadline,omitempty"`
	Times       int    `json:"times,omitempty"`
	Concurrency int    `json:"concurrency,omitempty"`
}

// WebSocket is an exchange over a WebSocket.
type WebSocket struct {
	Target
	Host    string   `json:"host,omitempty"`
	Path    string   `json:"path,omitempty"`
	Headers []string `json:"headers,omitempty"`
	// Send are messages, each of which must come back.
	Send []string `json:"send,omitempty"`
	// Open leaves the connection open under a name, and Use goes on with it.
	Open string `json:"open,omitempty"`
	Use  string `json:"use,omitempty"`
}

// Stream is a connection to an endpoint of the kind stream, which says who it is
// and then sends back what it gets.
type Stream struct {
	Target
	// Host is who the certificate must be for. Default: a.example.
	Host string `json:"host,omitempty"`
	// Greeting is sent first, in plain text: a PROXY header.
	Greeting string `json:"greeting,omitempty"`
	// Send are texts, each of which must come back.
	Send []string `json:"send,omitempty"`
	// Bytes are sent after them, and must all come back.
	Bytes int `json:"bytes,omitempty"`
	// Fragment cuts a TLS client's first record into records and segments of a
	// byte.
	Fragment bool `json:"fragment,omitempty"`
	// Open leaves the connection open under a name, and Use goes on with it; the
	// others are closed on our side, and must then be closed on the other.
	Open string `json:"open,omitempty"`
	Use  string `json:"use,omitempty"`
	// Times is how many connections are made, one after the other.
	Times int `json:"times,omitempty"`
}

// Datagram is datagrams to an endpoint of the kind datagram, which answers each
// with who it is and what it got.
type Datagram struct {
	Target
	// Send are the datagrams; each waits for its answer. Default: one.
	Send []string `json:"send,omitempty"`
	// Open keeps the client's socket under a name, and Use goes on with it.
	Open string `json:"open,omitempty"`
	Use  string `json:"use,omitempty"`
	// Times is how many clients there are, each with a socket of its own.
	Times int `json:"times,omitempty"`
}

// Edit changes the directory and waits until the status says so.
type Edit struct {
	// Apply holds objects that replace those of their kind and name, or are new.
	Apply string `json:"apply,omitempty"`
	// Delete are objects, "Kind namespace/name".
	Delete []string `json:"delete,omitempty"`
	// Write puts files beside the case's own, as they are; Remove takes them
	// away again.
	Write  map[string]string `json:"write,omitempty"`
	Remove []string          `json:"remove,omitempty"`
	Until  []Until           `json:"until,omitempty"`
}

// Until is a condition of an object's status, or a problem of the directory.
type Until struct {
	// Object is "Kind namespace/name".
	Object string `json:"object,omitempty"`
	// Listener names a section of a Gateway or ListenerSet.
	Listener string `json:"listener,omitempty"`
	// Parent is the name of a route's parent, where it has several.
	Parent string `json:"parent,omitempty"`
	Type   string `json:"type,omitempty"`
	Status string `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Message is a regular expression.
	Message string `json:"message,omitempty"`
	// Problem is a regular expression that something which the directory's
	// reader objects to must match; nothing else is set with it.
	Problem string `json:"problem,omitempty"`
}

// Arrived is what one backend got of a step.
type Arrived struct {
	// Backend is a Service, "name" or "namespace/name".
	Backend string `json:"backend"`
	// Min and Max bound how many requests came. Default: exactly one.
	Min  *int            `json:"min,omitempty"`
	Max  *int            `json:"max,omitempty"`
	Path *Want           `json:"path,omitempty"`
	Host *Want           `json:"host,omitempty"`
	Body *Want           `json:"body,omitempty"`
	Got  map[string]Want `json:"got,omitempty"`
}

// plays says whether a dataplane plays the step.
func (s *Step) plays(plane string) bool {
	return s.Only == "" || slices.Contains(s.planes(), plane)
}

func (s *Step) planes() []string { return strings.Split(strings.ReplaceAll(s.Only, " ", ""), ",") }
