package editing

import "github.com/sluice-gateway/sluice/ir"

// Order returns the places of filters in the order in which requests meet them: CORS
// before all others. A browser's preflight request carries no credentials, so an
// authorization or a redirect in front of it would refuse every request from another
// origin.
func Order(filters []ir.Filter) []int {
	order := make([]int, 0, len(filters))
	for _, first := range []bool{true, false} {
		for i := range filters {
			if (filters[i].CORS != nil) == first {
				order = append(order, i)
			}
		}
	}
	return order
}
