package terminal

import (
	"testing"

	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir"
)

func TestARefusedDocumentIsNotCalledAbsent(t *testing.T) {
	shop := resources.Key{Kind: "Service", Namespace: "default", Name: "shop"}
	found := findings.Finding{Code: findings.BackendNotFound, Field: "spec.rules[0]", Message: shop.String() + notThere}
	for _, c := range []struct {
		name    string
		problem dir.Problem
		want    string
	}{
		{"its document is refused", dir.Problem{Object: shop, Message: "x"}, "Service default/shop cannot be used as it is written: see a.yaml:3:1"},
		{"another one is", dir.Problem{Object: resources.Key{Kind: "Service", Namespace: "other", Name: "shop"}}, found.Message},
		{"nobody knows which one is", dir.Problem{Message: "is no YAML"}, found.Message},
		{"a note", dir.Problem{Object: shop, Note: true}, found.Message},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.problem.Place = dir.Place{File: "a.yaml", Line: 3, Column: 1}
			sink := New(Options{Locate: func(resources.Key, string) string { return "" }})
			sink.Publish(snapshot(1, found))
			sink.Problems([]dir.Problem{c.problem})
			var got []string
			for _, o := range sink.Listing().Objects {
				for _, trouble := range o.Troubles {
					got = append(got, trouble.Message)
				}
			}
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
