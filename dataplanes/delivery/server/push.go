package server

import (
	"slices"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// holding is a set that a pod has all parts of.
type holding struct {
	seq      uint64
	manifest wire.Manifest
	total    hash.Sum
	key      hash.Sum
}

// same reports whether a pod that holds this has nothing to be sent.
func (h *holding) same(s *snapshot) bool { return h.total == s.total && h.key == s.keySum }

// place is where a part of a snapshot is.
type place struct {
	kind wire.Kind
	at   int
}

// change returns what makes a snapshot of what a pod holds, and the parts that
// it lacks.
func change(from *holding, to *snapshot) ([]wire.Edit, []place) {
	var edits []wire.Edit
	var lacks []place
	for kind := range wire.Kinds {
		have, want := from.manifest.List(kind), to.manifest.List(kind)
		splices := wire.Diff(have, want)
		if len(splices) == 0 {
			continue
		}
		edits = append(edits, wire.Edit{Kind: kind, Splices: splices})
		lacks = append(lacks, lacking(kind, have, splices)...)
	}
	return edits, lacks
}

// lacking returns those of the inserted sums that are not in a list already,
// each once.
func lacking(kind wire.Kind, have []hash.Sum, splices []wire.Splice) []place {
	holds := finder(have, splices)
	var lacks []place
	shift := 0
	sent := map[hash.Sum]bool{}
	for _, s := range splices {
		for i, sum := range s.Insert {
			if !sent[sum] && !holds(sum) {
				sent[sum] = true
				lacks = append(lacks, place{kind, s.At + shift + i})
			}
		}
		shift += len(s.Insert) - s.Remove
	}
	return lacks
}

// finder returns what says whether a list has a sum: a few are looked for, for
// more an index is made.
func finder(list []hash.Sum, splices []wire.Splice) func(hash.Sum) bool {
	const few = 8
	n := 0
	for _, s := range splices {
		n += len(s.Insert)
	}
	if n <= few {
		return func(sum hash.Sum) bool { return slices.Contains(list, sum) }
	}
	index := make(map[hash.Sum]struct{}, len(list))
	for _, sum := range list {
		index[sum] = struct{}{}
	}
	return func(sum hash.Sum) bool {
		_, ok := index[sum]
		return ok
	}
}

// push sends what a pod lacks, and then what the set is.
func push(send func(any) (int, error), to *snapshot, from *holding, seq uint64) error {
	edits, lacks := change(from, to)
	var batch wire.Parts
	size := 0
	for i, l := range lacks {
		part := wire.WritePart(l.kind, to.manifest.List(l.kind)[l.at], to.part(l.kind, l.at))
		batch.Parts = append(batch.Parts, part)
		if size += len(part.Form); size < wire.Batch && i < len(lacks)-1 {
			continue
		}
		if _, err := send(&batch); err != nil {
			return err
		}
		size, batch.Parts = 0, nil
	}
	_, err := send(&wire.Push{
		Seq: seq, Base: from.seq, Version: to.manifest.Version, SessionKey: to.key, Edits: edits, Total: to.total,
	})
	return err
}
