package gatewayapi

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// bundleVersion is the annotation that says of which release of Gateway API a CRD
// is.
const bundleVersion = "gateway.networking.k8s.io/bundle-version"

// The minor versions of Gateway API v1 whose CRDs are supported, whatever their
// patch level: v1.4 is the first that serves everything that Sluice needs of TLS
// to backends, v1.6 the one that Sluice is written against.
const (
	oldestMinor = 4
	newestMinor = 6
)

// offer is what the cluster's CRDs allow.
type offer struct {
	// versions are the releases that the CRDs are of, and odd those of them that
	// are not supported.
	versions, odd []string
	// missing are the features that ask for a kind or a field that is not there.
	missing []feature.Name
}

// offerOf reads the cluster's CRDs. A directory has none, and offers everything.
func offerOf(view *resources.View) offer {
	crds := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, key := range view.List(resources.ByKind, resources.Key{Kind: resources.CRD}) {
		crd, state := resources.Get[*apiextensionsv1.CustomResourceDefinition](view, key)
		if state == resources.Present && crd.Spec.Group == gatewayv1.GroupName {
			crds[crd.Spec.Names.Plural] = crd
		}
	}
	var o offer
	if len(crds) == 0 {
		return o
	}
	o.readVersions(crds)
	for _, need := range needs {
		if !need.met(crds) && !slices.Contains(o.missing, need.feature) {
			o.missing = append(o.missing, need.feature)
		}
	}
	return o
}

func (o *offer) readVersions(crds map[string]*apiextensionsv1.CustomResourceDefinition) {
	seen := map[string]bool{}
	for _, crd := range crds {
		version := crd.Annotations[bundleVersion]
		if version == "" {
			seen["none (no annotation "+bundleVersion+" on "+crd.Name+")"] = false
			continue
		}
		seen[version] = supportedVersion(version)
	}
	for _, version := range slices.Sorted(maps.Keys(seen)) {
		o.versions = append(o.versions, version)
		if !seen[version] {
			o.odd = append(o.odd, version)
		}
	}
}

// supportedVersion reads "v1.6.3" or "v1.6.0-rc.1".
func supportedVersion(version string) bool {
	rest, isV1 := strings.CutPrefix(version, "v1.")
	number, patch, hasPatch := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(number)
	return isV1 && hasPatch && patch != "" && err == nil && minor >= oldestMinor && minor <= newestMinor
}

// tell notes that CRDs are of versions that are not supported. They are served
// as far as they are known.
func (o *offer) tell(found *notes) {
	if len(o.odd) > 0 {
		found.put(findings.Finding{Code: findings.UnsupportedVersion, Message: fmt.Sprintf(
			"the installed CRDs of Gateway API have the versions %s; v1.%d to v1.%d are supported, and of others what is known of them is served",
			strings.Join(o.versions, ", "), oldestMinor, newestMinor)})
	}
}

// need is a kind, or a field of it, that a feature cannot be asked for without.
type need struct {
	feature feature.Name
	plural  string
	// path leads through objects and lists; behind "=" is a value of an
	// enumeration. Empty is the kind itself.
	path string
}

// met reports whether a version of the kind that is served has the field.
func (n need) met(crds map[string]*apiextensionsv1.CustomResourceDefinition) bool {
	crd := crds[n.plural]
	if crd == nil {
		return false
	}
	path, value, _ := strings.Cut(n.path, "=")
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		switch {
		case !v.Served:
		case n.path == "", v.Schema == nil || v.Schema.OpenAPIV3Schema == nil:
			return true
		case has(v.Schema.OpenAPIV3Schema, strings.Split(path, "."), value):
			return true
		}
	}
	return false
}

// has reports whether a schema has a field, and the field a value. What keeps
// unknown fields has them all.
func has(s *apiextensionsv1.JSONSchemaProps, path []string, value string) bool {
	for s.Items != nil && s.Items.Schema != nil {
		s = s.Items.Schema
	}
	switch {
	case s.XPreserveUnknownFields != nil && *s.XPreserveUnknownFields:
		return true
	case len(path) > 0:
		next, ok := s.Properties[path[0]]
		return ok && has(&next, path[1:], value)
	case value == "" || len(s.Enum) == 0:
		return true
	}
	return slices.ContainsFunc(s.Enum, func(e apiextensionsv1.JSON) bool { return strings.Trim(string(e.Raw), `"`) == value })
}
