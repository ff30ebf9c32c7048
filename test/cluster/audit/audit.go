package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
)

// Event is one request, of those fields that tests ask for. Its schema is
// audit.k8s.io/v1, Event.
type Event struct {
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
		APIVersion  string `json:"apiVersion"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"responseStatus"`
	// RequestObject is there for writes of a status.
	RequestObject json.RawMessage `json:"requestObject"`
	// Received is when the request came, Done when this stage of it was reached.
	Received time.Time `json:"requestReceivedTimestamp"`
	Done     time.Time `json:"stageTimestamp"`
}

// Filter says which events a reader wants. An empty field wants all.
type Filter struct {
	// Verbs are the API's: get, list, watch, create, update, patch, delete,
	// deletecollection.
	Verbs []string
	// Groups are API groups; the core group is "core".
	Groups []string
	// Resources are plural names in lower case, with the subresource where one is
	// wanted: "gateways/status", "pods". A name without "/" wants no subresource.
	Resources []string
	// Users are names: "system:serviceaccount:NAMESPACE:NAME" for one that is not
	// a person.
	Users []string
	// Namespace and Name are the object's.
	Namespace, Name string
	// Since leaves out requests that came before.
	Since time.Time
	// Stage is ResponseComplete where it is empty: each request once, when it is
	// over. A watch that goes on has ResponseStarted only.
	Stage string
}

// Writes are the verbs that change an object.
var Writes = []string{"create", "update", "patch", "delete", "deletecollection"}

// Match reports whether the filter wants an event.
func (f Filter) Match(e Event) bool {
	stage := f.Stage
	if stage == "" {
		stage = "ResponseComplete"
	}
	return e.Stage == stage && wants(f.Verbs, e.Verb) && wants(f.Groups, e.group()) && wants(f.Resources, e.resource()) &&
		wants(f.Users, e.User.Username) && (f.Namespace == "" || f.Namespace == e.ObjectRef.Namespace) &&
		(f.Name == "" || f.Name == e.ObjectRef.Name) && !e.Received.Before(f.Since)
}

func wants(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

func (e Event) group() string {
	if e.ObjectRef.APIGroup == "" {
		return "core"
	}
	return e.ObjectRef.APIGroup
}

func (e Event) resource() string {
	return strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")
}

// Read yields the events of a log that a filter wants, in the log's order, until
// the first error. A last line without its end is one that is being written, and
// is left out.
func Read(log io.Reader, f Filter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := bufio.NewReaderSize(log, 1<<16)
		for number := 1; ; number++ {
			line, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			var e Event
			if err == nil {
				e, err = parse(line, number)
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
			if f.Match(e) && !yield(e, nil) {
				return
			}
		}
	}
}

func parse(line []byte, number int) (Event, error) {
	var e Event
	if len(bytes.TrimSpace(line)) == 0 {
		return e, nil
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("audit log, line %d: %w", number, err)
	}
	return e, nil
}
