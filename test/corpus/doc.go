// Package corpus holds the golden cases of Sluice's translation: a folder a
// case, in areas.
//
// Each case has an in.yaml. Its first comment is the rule of the specification
// that the case proves, in a sentence or two; tags follow it, one a line:
//
//	# conformance: ShortName, ...  conformance tests of Gateway API whose rule this is
//	# finding: Code, ...           facts that the case brings about (checked)
//	# filter: Name, ...            filters of the ir that the case makes (checked)
//	# refusal: Feature, ...        features that the case needs, each refused without (checked)
//	# features: -Feature, ...      the dataplane lacks these
//	# dataplane: full              the dataplane has every feature there is; else it is the Go proxy
//	# admission: off               objects as no API server would store them: neither checked nor defaulted
//	# dns: name=address, ...       what names resolve to
//	# outcome: ...                 what the dataplane makes of it, where it does not run it: see outcome_test.go
//
// The objects of base.yaml are part of every case; an object of the same name
// in a case takes the place of the one there. Beside in.yaml stand the golden
// files: ir.yaml (each unit and its endpoints), status.yaml (the status of each
// object of the case, as it is written while the dataplane runs what it was
// given) and one file a dataplane. "go test ./test/corpus -update", or "make
// golden", writes them: read the difference before it is committed.
//
// Whatever the order in which objects come, go and come back, the result must
// be the same. The package has tests only.
package corpus
