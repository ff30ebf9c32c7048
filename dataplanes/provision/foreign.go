package provision

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldOwner is who we are in an object's managed fields.
const fieldOwner = "sluice"

// guarded are the fields of a spec in which nobody else may add anything; nil is
// all of them. Controllers of load balancers write into the spec of a Service,
// and those fields are theirs.
var guarded = map[string][]string{
	"Service": {"selector", "ports", "externalIPs", "sessionAffinity", "publishNotReadyAddresses"},
}

// foreign are the paths in an object's spec that somebody else has written, as
// the API server has taken down who wrote what. A path ends at a list. What
// controllers write by subresources (status, scale) is not meant; annotations of
// pods are left alone, as "kubectl rollout restart" is one.
func foreign(kind string, managed []metav1.ManagedFieldsEntry) [][]string {
	var found [][]string
	for _, entry := range managed {
		if entry.Manager == fieldOwner || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		for _, path := range written(fields["f:spec"], []string{"spec"}) {
			if guards(kind, path) {
				found = append(found, path)
			}
		}
	}
	return found
}

func guards(kind string, path []string) bool {
	if len(path) < 2 || strings.Join(path[:min(len(path), 4)], ".") == "spec.template.metadata.annotations" {
		return false
	}
	only, some := guarded[kind]
	return !some || slices.Contains(only, path[1])
}

// written are the paths below one that a set of fields names ("f:" and a field's
// name; anything else is an item of a list).
func written(raw json.RawMessage, at []string) [][]string {
	var fields map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	var found [][]string
	leaf := true
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch name, isField := strings.CutPrefix(key, "f:"); {
		case isField:
			leaf = false
			found = append(found, written(fields[key], append(slices.Clip(at), name))...)
		case key != ".":
			return [][]string{at}
		}
	}
	if leaf {
		return [][]string{at}
	}
	return found
}
