package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/status"
)

// operation is one step of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// field is the list that a kind's status has, and how an entry of it is written.
type field struct {
	name  string
	most  int
	write func(*entry) any
	read  func(*status.Status) []entry
}

var (
	parents = field{"parents", status.MaxParents, (*entry).parent, func(s *status.Status) []entry { return parentsOf(s.Route) }}

	ancestors = field{"ancestors", status.MaxAncestors, (*entry).ancestor, func(s *status.Status) []entry { return ancestorsOf(s.Policy) }}
)

// patch writes an edit of a list with the resourceVersion that it was made for.
// It names nothing but entries of ours, so that those of others stay byte for
// byte what they were, fields that Sluice does not know included. A list that is
// empty may not be there at all, which a merge patch does not mind.
func (f field) patch(e *edit, have int, version string) (client.Patch, error) {
	if have == 0 {
		return merge(version, map[string]any{f.name: f.values(e.add)})
	}
	steps := []operation{{Op: "replace", Path: "/metadata/resourceVersion", Value: version}}
	for _, i := range slices.Sorted(maps.Keys(e.replace)) {
		next := e.replace[i]
		steps = append(steps, operation{Op: "replace", Path: f.path(i), Value: f.write(&next)})
	}
	for _, i := range slices.Backward(e.remove) {
		steps = append(steps, operation{Op: "remove", Path: f.path(i)})
	}
	for i := range e.add {
		steps = append(steps, operation{Op: "add", Path: "/status/" + f.name + "/-", Value: f.write(&e.add[i])})
	}
	data, err := json.Marshal(steps)
	return client.RawPatch(types.JSONPatchType, data), err
}

func (f field) path(i int) string { return fmt.Sprintf("/status/%s/%d", f.name, i) }

func (f field) values(entries []entry) []any {
	out := make([]any, len(entries))
	for i := range entries {
		out[i] = f.write(&entries[i])
	}
	return out
}

func merge(version string, status any) (client.Patch, error) {
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": version}, "status": status})
	return client.RawPatch(types.MergePatchType, data), err
}

// apply writes a whole status server-side. What an earlier one said and this one
// does not goes; what others have said stays.
func apply(gvk schema.GroupVersionKind, key resources.Key, version string, status any) (client.Patch, error) {
	meta := map[string]any{"name": key.Name, "resourceVersion": version}
	if key.Namespace != "" {
		meta["namespace"] = key.Namespace
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind, "metadata": meta, "status": status,
	})
	return client.RawPatch(types.ApplyPatchType, data), err
}
