package parity

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Expect is what must come of a step. What is left out is not looked at.
type Expect struct {
	Status int `json:"status,omitempty"`
	// StatusIn lists the statuses that the specification leaves open.
	StatusIn []int           `json:"statusIn,omitempty"`
	Headers  map[string]Want `json:"headers,omitempty"`
	Trailers map[string]Want `json:"trailers,omitempty"`
	// Text is the body as it came.
	Text *Want `json:"text,omitempty"`
	// Length is the number of bytes of the body.
	Length *int `json:"length,omitempty"`
	// Protocol is what the proxy spoke: "HTTP/1.1" or "HTTP/2.0".
	Protocol string `json:"protocol,omitempty"`
	// Continue requires (or forbids) that 100 came before the answer.
	Continue *bool `json:"continue,omitempty"`
	// Certificate is a DNS name that the proxy's certificate must carry;
	// CertificateCN its common name.
	Certificate   string `json:"certificate,omitempty"`
	CertificateCN string `json:"certificateCN,omitempty"`
	// Error requires that no answer came: the connection or the handshake
	// failed, with words that match.
	Error string `json:"error,omitempty"`

	// Backend is the Service that answered, "name" or "namespace/name"; the
	// fields down to Answered say what it got.
	Backend     string          `json:"backend,omitempty"`
	Endpoint    string          `json:"endpoint,omitempty"`
	Method      string          `json:"method,omitempty"`
	Path        string          `json:"path,omitempty"`
	Host        string          `json:"host,omitempty"`
	Proto       string          `json:"proto,omitempty"`
	SNI         string          `json:"sni,omitempty"`
	ClientCN    string          `json:"clientCN,omitempty"`
	Got         map[string]Want `json:"got,omitempty"`
	GotTrailers map[string]Want `json:"gotTrailers,omitempty"`
	GotBody     *Want           `json:"gotBody,omitempty"`
	GotLength   *int64          `json:"gotLength,omitempty"`

	// GRPCStatus is the code of a gRPC call; GRPCMessage its message.
	GRPCStatus  *int  `json:"grpcStatus,omitempty"`
	GRPCMessage *Want `json:"grpcMessage,omitempty"`
	// Messages is the number of messages that came back from a gRPC call.
	Messages *int `json:"messages,omitempty"`

	// Distribution is each backend's share of the answers (or each status's,
	// where no backend answered), give or take Tolerance. Default: 0.1.
	Distribution map[string]float64 `json:"distribution,omitempty"`
	Tolerance    float64            `json:"tolerance,omitempty"`
	PerEndpoint  *PerEndpoint       `json:"perEndpoint,omitempty"`
	// SameEndpoint requires that one endpoint answered every time.
	SameEndpoint bool `json:"sameEndpoint,omitempty"`
	// Connections is the number of connections that the client opened.
	Connections int `json:"connections,omitempty"`
	// Tries is how many endpoints each request was sent to, as the access log says.
	// The request needs a path of its own: lines of steps before may come late.
	Tries int `json:"tries,omitempty"`
}

// PerEndpoint bounds the number of answers of each endpoint.
type PerEndpoint struct {
	Endpoints int `json:"endpoints"`
	Min       int `json:"min"`
	Max       int `json:"max"`
}

// Want is what a value must be: a plain text is compared, null must be absent.
type Want struct {
	Exact   string
	Regex   *regexp.Regexp
	Present bool
	Absent  bool
	// Not is an expression that the value, if there is one, must not hold
	// anywhere.
	Not *regexp.Regexp
	// List compares the value's comma-separated elements without their order.
	List []string
}

var _ json.Unmarshaler = (*Want)(nil)

type wantFields struct {
	Regex   *string  `json:"regex"`
	Not     *string  `json:"not"`
	Present *bool    `json:"present"`
	List    []string `json:"list"`
}

// UnmarshalJSON reads a text, a number, null, or {regex: ...}, {present: true},
// {list: [...]}.
func (w *Want) UnmarshalJSON(data []byte) error {
	switch {
	case string(data) == "null":
		w.Absent = true
		return nil
	case data[0] == '"':
		return json.Unmarshal(data, &w.Exact)
	case data[0] != '{':
		w.Exact = string(data)
		return nil
	}
	return w.unmarshalFields(data)
}

func (w *Want) unmarshalFields(data []byte) error {
	var f wantFields
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return err
	}
	w.List = f.List
	w.Present = f.Present != nil && *f.Present
	w.Absent = f.Present != nil && !*f.Present
	var err, notErr error
	if f.Regex != nil {
		w.Regex, err = regexp.Compile("^(?:" + *f.Regex + ")$")
	}
	if f.Not != nil {
		w.Not, notErr = regexp.Compile(*f.Not)
	}
	return errors.Join(err, notErr)
}

// Check returns what is wrong with the values of one name, or "".
func (w *Want) Check(name string, values []string) string {
	got := strings.Join(values, ", ")
	switch {
	case w.Absent:
		return complain(len(values) == 0, name, got, "nothing")
	case len(values) == 0 && w.Not == nil:
		return fmt.Sprintf("%s: got nothing, want %s", name, w)
	case w.Present:
		return ""
	case w.Regex != nil:
		return complain(w.Regex.MatchString(got), name, got, w.String())
	case w.Not != nil:
		return complain(!w.Not.MatchString(got), name, got, w.String())
	case w.List != nil:
		return complain(sameElements(got, w.List), name, got, w.String())
	default:
		return complain(got == w.Exact, name, got, w.Exact)
	}
}

// String says what is wanted, for messages.
func (w *Want) String() string {
	switch {
	case w.Absent:
		return "nothing"
	case w.Present:
		return "anything"
	case w.Regex != nil:
		return "a match of " + w.Regex.String()
	case w.Not != nil:
		return "no match of " + w.Not.String()
	case w.List != nil:
		return "the elements " + strings.Join(w.List, ", ")
	default:
		return w.Exact
	}
}

func complain(fine bool, name, got, want string) string {
	if fine {
		return ""
	}
	return fmt.Sprintf("%s: got %q, want %q", name, got, want)
}

func sameElements(got string, want []string) bool {
	counts := map[string]int{}
	for element := range strings.SplitSeq(got, ",") {
		counts[strings.ToLower(strings.TrimSpace(element))]++
	}
	for _, element := range want {
		counts[strings.ToLower(element)]--
	}
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}
