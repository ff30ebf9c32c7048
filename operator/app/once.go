package app

import (
	"context"
	"encoding/json"

	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
	"github.com/sluice-gateway/sluice/operator/source/dir"
	"github.com/sluice-gateway/sluice/operator/status/terminal"
)

// loaded is a directory, translated once; nothing is served.
type loaded struct {
	files    *dir.Source
	problems []dir.Problem
	snapshot engine.Snapshot
}

var _ engine.Sink = (*loaded)(nil)

// Publish implements engine.Sink.
func (l *loaded) Publish(s engine.Snapshot) { l.snapshot = s }

// load reads and translates a directory. Wrap, if not nil, lays a source over
// that of the directory.
func load(ctx context.Context, root, engineName string, wrap func(source.Source) source.Source) (*loaded, error) {
	by, err := dataplanesBy(engineName)
	if err != nil {
		return nil, err
	}
	l := &loaded{}
	l.files = dir.New(dir.Options{Root: root, Once: true, Report: func(p []dir.Problem) { l.problems = p }})
	objects := source.Source(l.files)
	if wrap != nil {
		objects = wrap(objects)
	}
	return l, engine.New(engine.Options{
		Source: objects, FrontEnds: frontEnds(by), Indexes: gatewayapi.Indexes(), Sink: l,
	}).Run(ctx)
}

// places finds fields in files, in the words of a terminal.
func places(files *dir.Source) func(resources.Key, string) string {
	return func(key resources.Key, field string) string { return files.Locate(key, field).String() }
}

func runOnce(ctx context.Context, streams Streams, root string, f *runFlags) error {
	if err := (oneOf{"output", &f.output, []string{"text", "json"}}).check(); err != nil {
		return err
	}
	l, err := load(ctx, root, f.engine, nil)
	if err != nil {
		return err
	}
	sink := terminal.New(terminal.Options{
		Out: streams.Out, Title: root, Colour: streams.TTY && !f.noColor && !streams.NoColour, Locate: places(l.files),
	})
	sink.Publish(l.snapshot)
	sink.Problems(l.problems)
	if f.output == "json" {
		enc := json.NewEncoder(streams.Out)
		enc.SetIndent("", "  ")
		err = enc.Encode(sink.Listing())
	} else {
		err = sink.Flush()
	}
	if err == nil && !sink.Healthy() {
		return errUnhealthy
	}
	return err
}
