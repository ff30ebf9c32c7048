package app

import (
	"context"
	"encoding/json"
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
	"github.com/sluice-gateway/sluice/operator/source/dir"
	"github.com/sluice-gateway/sluice/operator/status"
	"github.com/sluice-gateway/sluice/operator/status/terminal"
)

// loaded is a directory, translated once; nothing is served.
type loaded struct {
	planes   map[gatewayv1.GatewayController]dataplanes.Dataplane
	files    *dir.Source
	problems problems
	snapshot engine.Snapshot
}

var _ engine.Sink = (*loaded)(nil)

// Publish implements engine.Sink.
func (l *loaded) Publish(s engine.Snapshot) { l.snapshot = s }

// load reads and translates a directory. Pool lays echo servers over it, or what
// checks that there could be some.
func load(ctx context.Context, root, engineName string, pool func(source.Source) *echo.Pool) (*loaded, error) {
	by, err := dataplanesBy(engineName)
	if err != nil {
		return nil, err
	}
	l := &loaded{planes: by}
	l.files = dir.New(dir.Options{Root: root, Once: true, Report: l.problems.inFiles})
	l.problems.locate = l.files
	objects := pool(l.files)
	objects.Report(l.problems.inEcho)
	return l, engine.New(engine.Options{
		Source: objects, FrontEnds: frontEnds(by, gatewayapi.Options{}), Indexes: gatewayapi.Indexes(), Sink: l, Unclaimed: sortedNames(by),
	}).Run(ctx)
}

// foresee adds what each unit's proxy would object to, if it ran.
func (l *loaded) foresee() {
	for i := range l.snapshot.Units {
		u := &l.snapshot.Units[i]
		if plane, able := l.planes[u.Controller].(dataplanes.Foreseer); able && u.Output.Proxy != nil {
			problems := plane.Foresee(&ir.Unit{Proxy: u.Output.Proxy, Endpoints: u.Endpoints})
			u.Output.Reports = status.Merge(u.Output.Reports, &status.Programmed{Active: true, Problems: problems})
		}
	}
}

// places finds fields in files, in the words of a terminal.
func places(files *dir.Source) func(resources.Key, string) string {
	return func(key resources.Key, field string) string { return files.Locate(key, field).String() }
}

func runOnce(ctx context.Context, streams Streams, root string, f *runFlags) error {
	if err := (oneOf{"output", &f.output, []string{"text", "json"}}).check(); err != nil {
		return err
	}
	l, err := load(ctx, root, f.engine, echo.NewCheck)
	if err != nil {
		return err
	}
	sink := terminal.New(terminal.Options{
		Out: streams.Out, Title: root, Colour: streams.TTY && !f.noColor && !streams.NoColour, Columns: streams.Columns,
		Locate: places(l.files),
	})
	l.foresee()
	sink.Publish(l.snapshot)
	sink.Problems(l.problems.all())
	if f.output == "json" {
		enc := json.NewEncoder(streams.Out)
		enc.SetIndent("", "  ")
		err = enc.Encode(sink.Listing())
	} else {
		err = sink.Flush()
	}
	switch {
	case err != nil:
		return err
	case len(sink.Listing().Objects) == 0 && sink.Healthy():
		// A hook that names the wrong folder would pass for ever.
		return fmt.Errorf("%s holds no Gateway and no route: name the folder that does", root)
	case !sink.Healthy():
		return errUnhealthy
	}
	return nil
}
