package provision

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/ir"
)

// Claim is who a pod is by its token, which the API server has reviewed.
type Claim struct {
	Namespace, Pod string
	UID            types.UID
	ServiceAccount string
}

// Admission is which unit a pod was made for, and where the pod is.
type Admission struct {
	Owner      ir.Object
	Node, Zone string
}

// ErrUnknown is returned while it cannot be said whether a pod is one of ours:
// whoever asks may ask again. Any other error stands.
var ErrUnknown = errors.New("not known yet")

// Identify says which unit a pod was made for. A token alone is not enough: the
// pod must be there, be the very one that the token was made for, run as the
// unit's ServiceAccount, and come from the unit's Deployment.
func (p *Provisioner) Identify(ctx context.Context, c Claim) (Admission, error) {
	pod, err := p.pod(ctx, c)
	if err != nil {
		return Admission{}, err
	}
	who := describe("pod", c.Namespace, c.Pod)
	p.mu.Lock()
	owner, known := p.owners[mark{pod.Namespace, pod.Labels[labelUnit]}]
	var in Input
	if known && p.units[owner] != nil && !p.units[owner].removed {
		in = p.units[owner].input
	}
	p.mu.Unlock()
	switch {
	case pod.Labels[labelUnit] == "":
		return Admission{}, fmt.Errorf("%s was not made for a Gateway", who)
	case in.Owner != owner || !known:
		return Admission{}, fmt.Errorf("the unit of %s: %w", who, ErrUnknown)
	case c.ServiceAccount != unitName(owner) || pod.Spec.ServiceAccountName != c.ServiceAccount:
		return Admission{}, fmt.Errorf("%s runs as ServiceAccount %s, and the unit's is %s", who, pod.Spec.ServiceAccountName, unitName(owner))
	}
	if err := p.descends(ctx, pod, &in); err != nil {
		return Admission{}, err
	}
	return Admission{Owner: owner, Node: pod.Spec.NodeName, Zone: p.zone(ctx, pod.Spec.NodeName)}, nil
}

// pod is the one of a claim. A pod may ask sooner than the cache has it.
func (p *Provisioner) pod(ctx context.Context, c Claim) (*corev1.Pod, error) {
	key := client.ObjectKey{Namespace: c.Namespace, Name: c.Pod}
	pod := &corev1.Pod{}
	if err := p.opts.Cache.Get(ctx, key, pod); err == nil && pod.UID == c.UID {
		return pod, nil
	}
	who := describe("pod", c.Namespace, c.Pod)
	pod = &corev1.Pod{}
	switch err := p.opts.Client.Get(ctx, key, pod); {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s does not exist", who)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", who, errors.Join(ErrUnknown, err))
	case pod.UID != c.UID:
		return nil, fmt.Errorf("%s is another one than the token was made for", who)
	}
	return pod, nil
}

// descends checks whose pod it is, by names: a Deployment's ReplicaSet is named by
// it and by the hash that its pods are labelled with.
func (p *Provisioner) descends(ctx context.Context, pod *corev1.Pod, in *Input) error {
	by, hash := metav1.GetControllerOf(pod), pod.Labels["pod-template-hash"]
	if by != nil && by.Kind == "ReplicaSet" && hash != "" {
		for _, d := range p.deployments(ctx, in) {
			if by.Name == d+"-"+hash {
				return nil
			}
		}
	}
	return fmt.Errorf("%s is not from a Deployment of its unit", describe("pod", pod.Namespace, pod.Name))
}

// deployments are the names of the unit's: that of its class, and while that is
// changing the one before.
func (p *Provisioner) deployments(ctx context.Context, in *Input) []string {
	names := []string{workloadName(in)}
	j := &job{in: *in}
	if p.look(ctx, j) == nil {
		for name, d := range j.seen["Deployment"] {
			if j.owns(d) {
				names = append(names, name)
			}
		}
	}
	return names
}

// zone is that of a node; empty where it has none, or is not known.
func (p *Provisioner) zone(ctx context.Context, name string) string {
	node := &corev1.Node{}
	if name == "" || p.opts.Cache.Get(ctx, client.ObjectKey{Name: name}, node) != nil {
		return ""
	}
	return node.Labels[corev1.LabelTopologyZone]
}
