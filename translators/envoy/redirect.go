package envoy

import (
	"cmp"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// addRedirect answers by a script: Envoy's own redirects keep the port of the
// request's Host, and show ports that schemes imply.
func (w *walk) addRedirect(redirect *ir.Redirect) error {
	to, err := editing.ReadRedirect(redirect)
	if err != nil {
		return err
	}
	scheme, port := to.Origin(editing.Scheme(w.listener.Protocol), w.reached)
	values := map[string]*structpb.Value{
		"scheme": structpb.NewStringValue(scheme), "host": structpb.NewStringValue(cmp.Or(to.Host, w.host)),
		"port": structpb.NewStringValue(port), "status": structpb.NewStringValue(strconv.Itoa(to.Status)),
	}
	switch {
	case to.Path != nil && to.Path.Full:
		values["full"] = structpb.NewStringValue(to.Path.Value)
	case to.Path != nil:
		values["value"], values["prefix"] = structpb.NewStringValue(to.Path.Value), structpb.NewStringValue(w.prefix())
	}
	w.then("redirect", script("redirect", redirectScript, values))
	w.answered = true
	return nil
}
