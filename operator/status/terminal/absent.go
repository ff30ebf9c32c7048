package terminal

import (
	"strings"

	"github.com/sluice-gateway/sluice/operator/source/dir"
)

// notThere is what the front end says of an object that it does not have.
const notThere = " does not exist; create it, or correct the name"

// blame leads from an object that is missed to what is wrong with its document:
// the front end does not see a document that was refused, and would have its
// author look for a name that is right.
func (b *board) blame(problems []dir.Problem) {
	var pairs []string
	for _, p := range problems {
		if p.Object.Name != "" && !p.Note && !p.Kept {
			key := p.Object.String()
			pairs = append(pairs, key+notThere, key+" cannot be used as it is written: see "+p.Place.String())
		}
	}
	if len(pairs) == 0 {
		return
	}
	told := strings.NewReplacer(pairs...)
	for i := range b.rows {
		for j := range b.rows[i].troubles {
			t := &b.rows[i].troubles[j]
			t.message = told.Replace(t.message)
		}
	}
}
