package envoy

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// addCORS answers preflight requests and marks answers by a script. Envoy's own
// filter sends preflights of foreign origins to the backend, answers wildcards
// beside credentials, and leaves the backend's marks on answers to foreign
// origins.
func (w *walk) addCORS(spec *ir.CORS) error {
	c, err := editing.ReadCORS(spec)
	if err != nil {
		return err
	}
	var origins []string
	for _, o := range c.Origins {
		origins = append(origins, o.Scheme+"://"+o.Host+":"+o.Port)
	}
	w.then("cors", script("cors", corsScript, map[string]*structpb.Value{
		"any":         structpb.NewBoolValue(c.Any),
		"origins":     texts(origins),
		"credentials": structpb.NewBoolValue(c.Credentials),
		"methods":     structpb.NewStringValue(c.Methods),
		"headers":     structpb.NewStringValue(c.Headers),
		"exposed":     structpb.NewStringValue(c.Exposed),
		"age":         structpb.NewStringValue(c.MaxAge),
	}))
	return nil
}
