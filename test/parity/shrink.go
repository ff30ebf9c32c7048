package parity

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// shrink takes away from a trial whatever its difference does not need.
func shrink(ctx context.Context, t *trial, d *difference) (*trial, *difference) {
	c := d.Between
	if d.Request != nil {
		alone := *t
		alone.Requests = []Request{*d.Request}
		if still := c.still(ctx, &alone); still != nil {
			t, d = &alone, still
		}
	}
	for range passes {
		next, still := c.pass(ctx, t)
		if still == nil {
			break
		}
		t, d = next, still
	}
	return t, d
}

// passes bounds how often all of a trial is gone through.
const passes = 3

// pass tries to do without each part of a trial once, and returns what is left; nil
// where nothing can be taken away.
func (c contest) pass(ctx context.Context, t *trial) (*trial, *difference) {
	var found *difference
	for i := 0; ctx.Err() == nil; {
		all := slices.Collect(t.smaller())
		if i >= len(all) {
			break
		}
		d := c.still(ctx, all[i])
		if d == nil {
			i++
			continue
		}
		// What came next stands here now.
		t, found = all[i], d
	}
	return t, found
}

// still plays a trial; one that cannot be served has no difference.
func (c contest) still(ctx context.Context, t *trial) *difference {
	d, err := c.run(ctx, t, tallies{})
	if err != nil {
		return nil
	}
	return d
}

// smaller yields trials that are smaller, those that are much smaller first.
func (t *trial) smaller() func(yield func(*trial) bool) {
	return func(yield func(*trial) bool) {
		for _, o := range t.Objects {
			if o.kind() != "Gateway" && len(t.Objects) > 2 && !yield(t.with([]object{t.Objects[0], o}, t.Requests)) {
				return
			}
		}
		for i, o := range t.Objects {
			if o.kind() != "Gateway" && !yield(t.with(slices.Delete(slices.Clone(t.Objects), i, i+1), t.Requests)) {
				return
			}
		}
		for i, o := range t.Objects {
			for less := range prunings(o["spec"]) {
				next := maps.Clone(o)
				next["spec"] = less
				objects := slices.Clone(t.Objects)
				objects[i] = next
				if !yield(t.with(objects, t.Requests)) {
					return
				}
			}
		}
		for i := range t.Requests {
			for _, less := range t.Requests[i].smaller() {
				requests := slices.Clone(t.Requests)
				requests[i] = less
				if !yield(t.with(t.Objects, requests)) {
					return
				}
			}
		}
	}
}

func (t *trial) with(objects []object, requests []Request) *trial {
	return &trial{Manifest: t.Manifest, Objects: objects, Requests: requests}
}

// prunings yield a tree with one element alone of each list, and then without one of
// its fields or elements, those near the root first.
func prunings(tree any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		for _, path := range pathsOf(tree) {
			list, _ := at(tree, path).([]any)
			for i := range list {
				if len(list) > 1 && !yield(with(tree, path, []any{list[i]})) {
					return
				}
			}
		}
		for _, path := range pathsOf(tree) {
			if !yield(cut(tree, path)) {
				return
			}
		}
	}
}

// pathsOf are the places of a tree, the shallow ones first.
func pathsOf(tree any) [][]any {
	var paths [][]any
	for level := [][]any{nil}; len(level) > 0; {
		var next [][]any
		for _, path := range level {
			for _, key := range keysOf(at(tree, path)) {
				next = append(next, append(slices.Clone(path), key))
			}
		}
		paths = append(paths, next...)
		level = next
	}
	return paths
}

func keysOf(tree any) []any {
	var keys []any
	switch v := tree.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			keys = append(keys, key)
		}
	case []any:
		for i := range v {
			keys = append(keys, i)
		}
	}
	return keys
}

func at(tree any, path []any) any {
	for _, key := range path {
		switch v := tree.(type) {
		case map[string]any:
			tree = v[key.(string)]
		case []any:
			tree = v[key.(int)]
		}
	}
	return tree
}

// with returns a tree with another value at a path.
func with(tree any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch v := tree.(type) {
	case map[string]any:
		next, key := maps.Clone(v), path[0].(string)
		next[key] = with(v[key], path[1:], value)
		return next
	case []any:
		next, i := slices.Clone(v), path[0].(int)
		next[i] = with(v[i], path[1:], value)
		return next
	}
	return tree
}

// cut returns a tree without what is at a path.
func cut(tree any, path []any) any {
	last := len(path) == 1
	switch v := tree.(type) {
	case map[string]any:
		next, key := maps.Clone(v), path[0].(string)
		if last {
			delete(next, key)
			return next
		}
		next[key] = cut(v[key], path[1:])
		return next
	case []any:
		next, i := slices.Clone(v), path[0].(int)
		if last {
			return slices.Delete(next, i, i+1)
		}
		next[i] = cut(v[i], path[1:])
		return next
	}
	return tree
}

// smaller are requests that ask for less.
func (r Request) smaller() []Request {
	var all []Request
	add := func(change func(*Request)) {
		next := r
		change(&next)
		if fmt.Sprint(next) != fmt.Sprint(r) {
			all = append(all, next)
		}
	}
	add(func(r *Request) { r.Body = "" })
	add(func(r *Request) { r.Method = "" })
	add(func(r *Request) { r.Protocol = "" })
	for i := range r.Headers {
		add(func(r *Request) { r.Headers = slices.Delete(slices.Clone(r.Headers), i, i+1) })
	}
	for i := 1; i < len(r.Path); i++ {
		add(func(r *Request) { r.Path = r.Path[:i] + r.Path[i+1:] })
	}
	return all
}

// text writes a trial as a case of the suite: what the first dataplane answered is
// what it expects.
func (t *trial) text(d *difference) (string, error) {
	objects, err := render(t.Objects)
	if err != nil {
		return "", err
	}
	steps, err := t.steps(d)
	return fmt.Sprintf("# in.yaml (and the Services that it names)\n%s\n# requests.yaml\n%s", objects, steps), err
}

func (t *trial) steps(d *difference) (string, error) {
	if d.Request == nil {
		return "# No request: statuses differ.\n", nil
	}
	step := map[string]any{"name": "what they differ in"}
	request, err := json.Marshal(d.Request)
	if err != nil {
		return "", err
	}
	step["request"] = json.RawMessage(request)
	if d.First != nil {
		step["expect"] = d.First.expectation()
	}
	return yamlOf([]any{step})
}

func (a *answer) expectation() map[string]any {
	if a.err != nil {
		return map[string]any{"error": "."}
	}
	expect := map[string]any{"status": a.status}
	if a.seen != nil {
		expect["backend"], expect["path"], expect["host"] = a.seen.Backend, a.seen.Path, a.seen.Host
	}
	return expect
}
