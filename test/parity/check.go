package parity

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/test/parity/peer"
)

// judge collects what is wrong with the answers of a step.
type judge struct {
	want     *Expect
	problems []string
}

func (j *judge) add(problem string) {
	if problem != "" && !slices.Contains(j.problems, problem) {
		j.problems = append(j.problems, problem)
	}
}

func (j *judge) addf(format string, args ...any) { j.add(fmt.Sprintf(format, args...)) }

func (j *judge) equal(name, got, want string) {
	if want != "" {
		j.add(complain(got == want, name, got, want))
	}
}

// all judges the answers one by one and together.
func (j *judge) all(answers []*answer, connections int) {
	for _, a := range answers {
		j.one(a)
	}
	j.distribution(answers)
	j.endpoints(answers)
	if j.want.Connections != 0 && connections != j.want.Connections {
		j.addf("the client opened %d connections, want %d", connections, j.want.Connections)
	}
}

func (j *judge) one(a *answer) {
	if !j.failure(a) {
		return
	}
	j.response(a)
	j.call(a)
	if j.wantsSeen() {
		if a.seen == nil {
			j.addf("no backend answered; want backend %q", j.want.Backend)
			return
		}
		j.backend(a.seen)
	}
}

// failure judges whether an answer came, and reports whether there is one to
// look at.
func (j *judge) failure(a *answer) bool {
	switch {
	case j.want.Error != "" && a.err == nil:
		j.addf("an answer came, want an error that matches %q", j.want.Error)
	case j.want.Error != "":
		if ok, err := regexp.MatchString(j.want.Error, a.err.Error()); err != nil || !ok {
			j.addf("error %q, want a match of %q", a.err, j.want.Error)
		}
	case a.err != nil:
		j.add(a.err.Error())
	default:
		return true
	}
	return false
}

func (j *judge) response(a *answer) {
	w := j.want
	if w.Status != 0 && a.status != w.Status {
		j.addf("status: got %d, want %d", a.status, w.Status)
	}
	if len(w.StatusIn) > 0 && !slices.Contains(w.StatusIn, a.status) {
		j.addf("status: got %d, want one of %v", a.status, w.StatusIn)
	}
	j.fields("response header", a.header, w.Headers)
	j.fields("response trailer", a.trailer, w.Trailers)
	if w.Text != nil {
		j.add(w.Text.Check("body", []string{string(a.body)}))
	}
	if w.Length != nil && a.length != *w.Length {
		j.addf("body: got %d bytes, want %d", a.length, *w.Length)
	}
	j.equal("protocol", a.proto, w.Protocol)
	if w.Continue != nil && a.continued != *w.Continue {
		j.addf("100 Continue came: %v, want %v", a.continued, *w.Continue)
	}
	j.certificate(a)
}

func (j *judge) certificate(a *answer) {
	if j.want.Certificate == "" && j.want.CertificateCN == "" {
		return
	}
	if a.leaf == nil {
		j.add("no certificate came")
		return
	}
	j.equal("certificate's common name", a.leaf.Subject.CommonName, j.want.CertificateCN)
	if name := j.want.Certificate; name != "" && !slices.Contains(a.leaf.DNSNames, name) {
		j.addf("certificate is for %v, want %s", a.leaf.DNSNames, name)
	}
}

func (j *judge) call(a *answer) {
	w := j.want
	if w.GRPCStatus != nil && a.grpcStatus != *w.GRPCStatus {
		j.addf("grpc-status: got %d (%s), want %d", a.grpcStatus, a.grpcMessage, *w.GRPCStatus)
	}
	if w.GRPCMessage != nil {
		j.add(w.GRPCMessage.Check("grpc-message", []string{a.grpcMessage}))
	}
	if w.Messages != nil && a.messages != *w.Messages {
		j.addf("messages: got %d, want %d", a.messages, *w.Messages)
	}
}

func (j *judge) fields(what string, got http.Header, want map[string]Want) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		w := want[name]
		j.add(w.Check(what+" "+name, got[textproto.CanonicalMIMEHeaderKey(name)]))
	}
}

func (j *judge) wantsSeen() bool {
	w := j.want
	return w.Backend+w.Endpoint+w.Method+w.Path+w.Host+w.Proto+w.SNI+w.ClientCN != "" ||
		len(w.Got)+len(w.GotTrailers) > 0 || w.GotBody != nil || w.GotLength != nil
}

func (j *judge) backend(seen *peer.Seen) {
	w := j.want
	j.equal("backend", seen.Backend, qualify(w.Backend))
	j.equal("endpoint", seen.Endpoint, w.Endpoint)
	j.equal("method at the backend", seen.Method, w.Method)
	j.equal("path at the backend", seen.Path, w.Path)
	j.equal("host at the backend", seen.Host, w.Host)
	j.equal("protocol at the backend", seen.Proto, w.Proto)
	j.equal("SNI at the backend", seen.SNI, w.SNI)
	j.equal("client certificate at the backend", seen.ClientCN, w.ClientCN)
	j.fields("header at the backend", seen.Headers, w.Got)
	j.fields("trailer at the backend", seen.Trailers, w.GotTrailers)
	if w.GotBody != nil {
		j.add(w.GotBody.Check("body at the backend", []string{seen.Body}))
	}
	if w.GotLength != nil && seen.Length != *w.GotLength {
		j.addf("body at the backend: got %d bytes, want %d", seen.Length, *w.GotLength)
	}
}

func (j *judge) distribution(answers []*answer) {
	if len(j.want.Distribution) == 0 {
		return
	}
	counts := map[string]int{}
	for _, a := range answers {
		counts[a.outcome()]++
	}
	tolerance := j.want.Tolerance
	if tolerance == 0 {
		tolerance = 0.1
	}
	for name := range counts {
		if _, named := j.want.Distribution[name]; !named {
			j.addf("%d of %d answers came from %s, want none", counts[name], len(answers), name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.want.Distribution)) {
		got, want := float64(counts[name])/float64(len(answers)), j.want.Distribution[name]
		if math.Abs(got-want) > tolerance || want == 0 && got > 0 {
			j.addf("%s answered %d of %d (%.3f), want %.3f give or take %.3f", name, counts[name], len(answers), got, want, tolerance)
		}
	}
}

func (j *judge) endpoints(answers []*answer) {
	counts := map[string]int{}
	for _, a := range answers {
		if a.seen != nil {
			counts[a.seen.Endpoint]++
		}
	}
	if j.want.SameEndpoint && len(counts) != 1 {
		j.addf("endpoints %v answered, want one and the same", counts)
	}
	if w := j.want.PerEndpoint; w != nil {
		if len(counts) != w.Endpoints {
			j.addf("%d endpoints answered (%v), want %d", len(counts), counts, w.Endpoints)
		}
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			if counts[name] < w.Min || counts[name] > w.Max {
				j.addf("endpoint %s answered %d, want %d to %d", name, counts[name], w.Min, w.Max)
			}
		}
	}
}

// arrived judges what one backend got of a step.
func (j *judge) arrived(seen []*peer.Seen, want *Arrived) {
	least, most := 1, 1
	if want.Min != nil || want.Max != nil {
		least, most = 0, math.MaxInt
	}
	if want.Min != nil {
		least = *want.Min
	}
	if want.Max != nil {
		most = *want.Max
	}
	if len(seen) < least || len(seen) > most {
		j.addf("%s got %d requests, want %d to %d", want.Backend, len(seen), least, most)
	}
	for _, s := range seen {
		j.fields("header at "+want.Backend, s.Headers, want.Got)
		j.optional("path at "+want.Backend, s.Path, want.Path)
		j.optional("host at "+want.Backend, s.Host, want.Host)
		j.optional("body at "+want.Backend, s.Body, want.Body)
	}
}

func (j *judge) optional(name, got string, want *Want) {
	if want != nil {
		j.add(want.Check(name, []string{got}))
	}
}

// text is everything that is wrong, one line each.
func (j *judge) text() string { return strings.Join(j.problems, "\n  ") }
