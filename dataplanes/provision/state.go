package provision

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
)

// state is what there is to say of a unit. A refused object goes before an
// address, and that before pods; whoever mends the first is told of the next.
func (p *Provisioner) state(ctx context.Context, j *job, refused *dataplanes.Lack) (State, error) {
	made := State{Ready: ready(j.pods)}
	svc, _ := j.seen["Service"][unitName(j.in.Owner)].(*corev1.Service)
	if svc != nil && (!j.owns(svc) || svc.DeletionTimestamp != nil) {
		// One that is about to go has addresses that lead nowhere.
		svc = nil
	}
	var nodes corev1.NodeList
	if serviceType(&j.in) == corev1.ServiceTypeNodePort {
		if err := p.opts.Cache.List(ctx, &nodes); err != nil {
			return State{}, err
		}
	}
	r := reach{in: &j.in, service: svc, nodes: nodes.Items, pods: j.pods}
	made.Addresses, made.Ports = r.addresses(), r.ports()
	made.Lack = allOf(refused, r.lack(made.Addresses), podsLack(j, made.Ready))
	if len(made.Ready) > 0 {
		made.Remark = podsTrouble(j)
	}
	return made, nil
}

// allOf is the first lack, with what the others say.
func allOf(lacks ...*dataplanes.Lack) *dataplanes.Lack {
	var first *dataplanes.Lack
	for _, l := range lacks {
		switch {
		case l == nil:
		case first == nil:
			made := *l
			first = &made
		default:
			first.Message += "; " + l.Message
		}
	}
	return first
}

func serving(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func ready(pods []corev1.Pod) []Pod {
	var list []Pod
	for i := range pods {
		if serving(&pods[i]) {
			list = append(list, Pod{pods[i].Namespace, pods[i].Name, pods[i].UID})
		}
	}
	slices.SortFunc(list, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// podsLack says why no pod is ready, in the words of whoever holds it up.
func podsLack(j *job, ready []Pod) *dataplanes.Lack {
	name := describe("Deployment", j.in.Owner.Namespace, workloadName(&j.in))
	switch {
	case len(ready) > 0:
		return nil
	case replicas(&j.in) == 0:
		return &dataplanes.Lack{Reason: "NoResources", Message: "No pod is to serve it: pods.replicas of its GatewayParameters is 0"}
	}
	if why := deploymentFailure(j); why != "" {
		return &dataplanes.Lack{Reason: "NoResources", Message: fmt.Sprintf("%s has no pods: %s", name, why)}
	}
	if why := podsTrouble(j); why != "" {
		return &dataplanes.Lack{Reason: "NoResources", Message: "No pod is ready: " + why}
	}
	return &dataplanes.Lack{Reason: "Pending", Message: "No pod of " + name + " is ready yet"}
}

// podsTrouble is why the first of the pods that do not come up does not.
func podsTrouble(j *job) string {
	pods := slices.Clone(j.pods)
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range pods {
		if why := podFailure(&pods[i]); why != "" {
			return fmt.Sprintf("pod %s %s", pods[i].Name, why)
		}
	}
	return ""
}

// deploymentFailure is why pods cannot even be made: a quota, or an admission
// that refuses them.
func deploymentFailure(j *job) string {
	d, _ := j.seen["Deployment"][workloadName(&j.in)].(*appsv1.Deployment)
	if d == nil {
		return ""
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return c.Message
		}
	}
	return ""
}

// podFailure is why a pod does not come up; empty where it only takes its time.
func podFailure(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return ""
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return "cannot be scheduled: " + c.Message
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return strings.TrimSpace("has failed: " + pod.Status.Reason + " " + pod.Status.Message)
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return strings.TrimSuffix(fmt.Sprintf("(image %s): %s: %s", s.Image, w.Reason, w.Message), ": ") + lastWords(&s)
		}
	}
	return ""
}

// lastWords are why a container ended, in our program's words. The rest of what it
// has said is not for a status: requests are in it.
func lastWords(s *corev1.ContainerStatus) string {
	t := s.LastTerminationState.Terminated
	if t == nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(t.Message), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, proxyName+": ") {
		return ""
	}
	return "; " + strings.ToValidUTF8(last[:min(len(last), longestWords)], "")
}

// longestWords is how much of them a condition's message has room for.
const longestWords = 1024
