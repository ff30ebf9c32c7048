package wire

import (
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// Version is that of the messages and of the canonical form. It is raised where
// a pod of the version before could misread something; a field that is new and
// empty needs no new version.
const Version = 1

// Audience is what a pod's token must be for.
const Audience = "sluice.dev/delivery"

// Service and Stream name the one method, which has a stream each way.
const (
	Service = "sluice.delivery.Delivery"
	Stream  = "Run"
	Method  = "/" + Service + "/" + Stream
)

// The bounds of what is read.
const (
	// MaxFrame bounds one message, in bytes.
	MaxFrame = 16 << 20
	// MaxPart bounds one part in its form, in bytes. A route object is at most
	// 1.5 MB in etcd.
	MaxPart = 8 << 20
	// MaxParts bounds the parts of a unit.
	MaxParts = 200_000
	// MaxState bounds what a pod says after its hello, in bytes, MaxProblems the
	// problems in it, and MaxText any text that is for people.
	MaxState    = 2 << 20
	MaxProblems = 500
	MaxText     = 1 << 10
	// BeatEvery is how often a pod hears of the operator, at least. Whoever hears
	// nothing for Silence has lost it.
	BeatEvery = 3 * time.Second
	Silence   = 3 * BeatEvery
	// Batch is how many bytes of parts are gathered into one message.
	Batch = 256 << 10
)

// Hello is the first message of a pod.
type Hello struct {
	// Unit is what the pod was made for.
	Unit ir.Object
	Pod  string
	// Program is the version of the pod's program, for people.
	Program string
	// Features are the names of those that its dataplane has.
	Features []string
	// Term is the highest that the pod has seen.
	Term uint64
	// Holds is the set that the pod has all parts of: nothing of it is sent again.
	Holds Manifest
	// Key is the sum of the session key that goes with it.
	Key   hash.Sum
	State State
}

// Welcome is the operator's first message.
type Welcome struct {
	// Term counts leaders. A pod does not listen to one before the last it heard.
	Term uint64
	// Zone and Node are where the pod runs; empty is unknown.
	Zone, Node string
	// Program is the version of the operator's program, for people.
	Program string
}

// Manifest says which parts make a unit: a list of sums for each kind, in the
// unit's order.
type Manifest struct {
	// Version is the unit's, as the operator names it.
	Version string
	Lists   [][]hash.Sum
}

// Parts are parts that a pod lacks.
type Parts struct{ Parts []Part }

// Part is one part in its canonical form.
type Part struct {
	Kind Kind
	Sum  hash.Sum
	Form []byte
}

// Push ends what Parts began: it says what the set is now.
type Push struct {
	// Seq numbers the pushes of a stream, from 1 on.
	Seq uint64
	// Base is the push that Edits are to be made to; 0 is what Hello said.
	Base    uint64
	Version string
	// SessionKey makes session tokens; empty is a random one of the pod's own.
	SessionKey ir.Secret
	// Edits are one for each kind that has changed.
	Edits []Edit
	// Total is the sum over the manifest that must come of it.
	Total hash.Sum
}

// Edit says what became of one kind's list.
type Edit struct {
	Kind    Kind
	Splices []Splice
}

// Splice puts sums in the place of Remove others at At, counted in the list as
// it was. Splices are ascending and do not overlap.
type Splice struct {
	At, Remove int
	Insert     []hash.Sum
}

// State is what a pod runs. Each one replaces the last.
type State struct {
	// Answered is the last push that was read, and Holds the last one that was
	// taken: with a push that the pod objects to, it stays behind.
	Answered, Holds uint64
	// Active is the push that serves, 0 for one of before the stream, and Version
	// its unit's; empty where nothing serves.
	Active  uint64
	Version string
	// Problems are what the proxy objects to in what is active, Objections why
	// Answered was not taken.
	Problems   []ir.Problem
	Objections []ir.Problem
	// Draining is set by a pod that is about to end.
	Draining bool
}

// Notice is something that the pod should say in its log.
type Notice struct{ Text string }

// Beat says that the operator is there.
type Beat struct{}
