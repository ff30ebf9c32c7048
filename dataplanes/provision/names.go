package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

// The labels of everything that is made here, and the annotation that says what
// an object was made from.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelName      = "app.kubernetes.io/name"
	labelUnit      = "sluice.dev/unit"
	labelWorkload  = "sluice.dev/workload"
	annotationMade = "sluice.dev/made-from"

	managedBy = "sluice"
	proxyName = "sluice-proxy"
)

// longest is the length of a DNS label (RFC 1035), and of a label's value.
const longest = 63

// hash8 is short, and long enough that two units of a namespace do not meet. The
// parts are told apart by a byte that no name has.
func hash8(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:4])
}

func unitHash(owner ir.Object) string { return hash8(owner.Kind, owner.Namespace, owner.Name) }

// mark is what a unit's objects are found by. The hash alone is short enough for
// somebody to look for a name that has the hash of another namespace's Gateway.
type mark struct{ namespace, hash string }

func markOf(owner ir.Object) mark { return mark{owner.Namespace, unitHash(owner)} }

func workloadHash(in *Input) string {
	return hash8(in.Owner.Kind, in.Owner.Namespace, in.Owner.Name, in.Class, in.Controller)
}

// unitName is the name of the Service, which stays for as long as the owner does,
// and of what goes with it.
func unitName(owner ir.Object) string { return label(owner.Name, unitHash(owner)) }

// workloadName is the name of the pods' Deployment, which a change of the class
// replaces.
func workloadName(in *Input) string { return label(in.Owner.Name+"-"+in.Class, workloadHash(in)) }

// label makes a DNS label of a name, which may be longer, have dots, and begin
// with a digit. The hash tells names apart that come out alike.
func label(name, hash string) string {
	name = strings.ReplaceAll(name, ".", "-")
	if name[0] < 'a' || name[0] > 'z' {
		name = "gw-" + name
	}
	name = name[:min(len(name), longest-1-len(hash))]
	return strings.TrimRight(name, "-") + "-" + hash
}

// labelValue is a name as a label's value: hashed where it is too long for one.
func labelValue(name string) string {
	if len(name) <= longest {
		return name
	}
	hash := hash8(name)
	return strings.TrimRight(name[:longest-1-len(hash)], "-.") + "-" + hash
}

// selector are the labels by which a unit's pods are found, whatever their class.
func selector(owner ir.Object) map[string]string {
	return map[string]string{labelUnit: unitHash(owner)}
}

// workloadSelector are the labels by which the pods of the unit's class are found.
func workloadSelector(in *Input) map[string]string {
	return map[string]string{labelUnit: unitHash(in.Owner), labelWorkload: workloadHash(in)}
}

// labels are what an object has: the owner's wishes, those of the parameters over
// them, and over all what this package goes by.
func (in *Input) labels(more map[string]string) map[string]string {
	made := map[string]string{}
	maps.Copy(made, in.Labels)
	maps.Copy(made, more)
	dropOurs(made)
	maps.Copy(made, map[string]string{
		labelManagedBy:                     managedBy,
		labelName:                          proxyName,
		gatewayv1.GatewayNameLabelKey:      labelValue(in.Owner.Name),
		gatewayv1.GatewayClassNameLabelKey: labelValue(in.Class),
		labelUnit:                          unitHash(in.Owner),
	})
	return made
}

// workloadLabels are those of pods and of the Deployment.
func (in *Input) workloadLabels(more map[string]string) map[string]string {
	made := in.labels(more)
	made[labelWorkload] = workloadHash(in)
	return made
}

func (in *Input) annotations(more map[string]string) map[string]string {
	made := map[string]string{}
	maps.Copy(made, in.Annotations)
	maps.Copy(made, more)
	dropOurs(made)
	if len(made) == 0 {
		return nil
	}
	return made
}

// dropOurs drops the keys that mean something here: an owner who could set them
// could make objects seem another unit's.
func dropOurs(keys map[string]string) {
	maps.DeleteFunc(keys, func(key, _ string) bool {
		prefix, _, _ := strings.Cut(key, "/")
		return prefix == "sluice.dev" || strings.HasSuffix(prefix, ".sluice.dev")
	})
}

// meta is an object's, with the owner as its controller. blockOwnerDeletion is
// left out: it would need a permission on the finalizers of Gateways, and nothing
// waits for these objects.
func (in *Input) meta(name string) metav1.ObjectMeta {
	controller := true
	return metav1.ObjectMeta{
		Name:        name,
		Namespace:   in.Owner.Namespace,
		Labels:      in.labels(nil),
		Annotations: in.annotations(nil),
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: gatewayv1.GroupVersion.String(), Kind: in.Owner.Kind, Name: in.Owner.Name, UID: in.UID, Controller: &controller,
		}},
	}
}

func describe(kind, namespace, name string) string {
	return fmt.Sprintf("%s %s/%s", kind, namespace, name)
}
