package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// content is an object as JSON has it.
type content = map[string]any

// wish is an object as it is to be, with what is set here and nothing else. An
// annotation names its content: by that a field that is no longer wished for is
// known, as no comparison with the object itself can tell it from a default.
func wish(obj client.Object) (*unstructured.Unstructured, error) {
	fields, err := toContent(obj)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", obj.GetName(), err)
	}
	sum := sha256.Sum256(text)
	made := &unstructured.Unstructured{Object: fields}
	annotations := made.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationMade] = hex.EncodeToString(sum[:8])
	made.SetAnnotations(annotations)
	return made, nil
}

// toContent is an object without status and without nulls.
func toContent(obj client.Object) (content, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("read the fields of %s: %w", obj.GetName(), err)
	}
	delete(fields, "status")
	dropNulls(fields)
	return fields, nil
}

func dropNulls(value any) {
	switch v := value.(type) {
	case content:
		maps.DeleteFunc(v, func(_ string, field any) bool { return field == nil })
		for _, field := range v {
			dropNulls(field)
		}
	case []any:
		for _, item := range v {
			dropNulls(item)
		}
	}
}

// gaps are the paths at which an object has not what is wished for. What it has
// beside that is nobody's business here, but for lists: one with more in it is
// another list. A path ends at a list.
func gaps(wish, have any, at []string) [][]string {
	fields, ok := wish.(content)
	if !ok {
		if covers(wish, have) {
			return nil
		}
		return [][]string{at}
	}
	there, _ := have.(content)
	var found [][]string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		found = append(found, gaps(fields[name], there[name], append(slices.Clip(at), name))...)
	}
	return found
}

// covers reports whether a value is as wished, but for fields that were filled in
// beside it.
func covers(wish, have any) bool {
	switch w := wish.(type) {
	case content:
		h, _ := have.(content)
		for name, field := range w {
			if !covers(field, h[name]) {
				return false
			}
		}
		return true
	case []any:
		h, _ := have.([]any)
		if len(w) != len(h) {
			return false
		}
		for i := range w {
			if !covers(w[i], h[i]) {
				return false
			}
		}
		return true
	}
	return wish == have
}

// amendment is a merge patch that gives the fields at some paths the values that
// are wished for, and takes away those for which there is no wish.
func amendment(wish content, paths [][]string) content {
	patch := content{}
	for _, path := range paths {
		value, _, _ := unstructured.NestedFieldNoCopy(wish, path...)
		into := patch
		for _, name := range path[:len(path)-1] {
			next, ok := into[name].(content)
			if !ok {
				next = content{}
				into[name] = next
			}
			into = next
		}
		into[path[len(path)-1]] = value
	}
	return patch
}
