package docs

import (
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// engines are the dataplanes that the page has a column for.
var engines = []dataplanes.Dataplane{goproxy.Dataplane{}, envoy.Dataplane{}, haproxy.Dataplane{}}

func TestCapabilitiesPage(t *testing.T) {
	page := table{head: []string{"feature", "what it is", "channel"}}
	for _, e := range engines {
		page.head = append(page.head, e.Name())
	}
	for _, f := range feature.Table() {
		row := []string{string(f.Name), f.What, channel(f)}
		for _, e := range engines {
			row = append(row, mark(e.Features().Has(f.Name)))
		}
		page.rows = append(page.rows, row)
	}
	hold(t, "../../docs/capabilities.md", page.String())
}

// A name that is not in the table would be promised to nobody, and checked by
// nobody.
func TestDataplanesNameFeaturesOfTheTable(t *testing.T) {
	for _, e := range engines {
		for _, name := range e.Features().Sorted() {
			if !feature.All().Has(name) {
				t.Errorf("dataplane %s names the feature %s, which ir/feature does not know: use a constant of that package, or add it there", e.Name(), name)
			}
		}
	}
}

func channel(f feature.Feature) string {
	if f.Experimental {
		return "experimental"
	}
	return "standard"
}

func mark(has bool) string {
	if has {
		return "yes"
	}
	return "refused"
}
