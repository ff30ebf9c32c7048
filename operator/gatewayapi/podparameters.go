package gatewayapi

import (
	"maps"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
)

func (e *effective) layPods(p *v1alpha1.PodParameters) {
	if p == nil {
		return
	}
	s := &e.pods
	overPointer(&s.Replicas, p.Replicas)
	overPointer(&s.Resources, p.Resources)
	overPointer(&s.Affinity, p.Affinity)
	overPointer(&s.PriorityClassName, p.PriorityClassName)
	overPointer(&s.Image, p.Image)
	overPointer(&s.ImagePullPolicy, p.ImagePullPolicy)
	overList(&s.Tolerations, p.Tolerations)
	overList(&s.TopologySpreadConstraints, p.TopologySpreadConstraints)
	overList(&s.ImagePullSecrets, p.ImagePullSecrets)
	overKeys(&s.Annotations, p.Annotations)
	overKeys(&s.Labels, p.Labels)
	if p.NodeSelector != nil {
		s.NodeSelector = p.NodeSelector
	}
	e.layReplacement(p)
}

// layReplacement lays what says how pods come and go. Structs are copied before
// they are changed: they are an object's.
func (e *effective) layReplacement(p *v1alpha1.PodParameters) {
	s := &e.pods
	if p.DisruptionBudget != nil {
		made := v1alpha1.DisruptionBudgetParameters{}
		over(&made, s.DisruptionBudget)
		overPointer(&made.MaxUnavailable, p.DisruptionBudget.MaxUnavailable)
		s.DisruptionBudget = &made
	}
	if p.Strategy != nil {
		made := v1alpha1.StrategyParameters{}
		over(&made, s.Strategy)
		overPointer(&made.MaxSurge, p.Strategy.MaxSurge)
		overPointer(&made.MaxUnavailable, p.Strategy.MaxUnavailable)
		s.Strategy = &made
	}
}

// checkPods states what is wrong with the pods part of parameters. What only the
// API server can know, such as whether a toleration makes sense, it says itself
// when the pods are made.
func checkPods(p *v1alpha1.PodParameters, c parametersCheck) {
	if p == nil {
		return
	}
	for _, check := range []func(*v1alpha1.PodParameters){c.replicas, c.resources, c.placement, c.image, c.replacement} {
		check(p)
	}
	c.labels("labels", p.Labels)
	c.annotations("annotations", p.Annotations)
}

func (c parametersCheck) replicas(p *v1alpha1.PodParameters) {
	inRange(c, "replicas", p.Replicas, 0, 1000)
}

func (c parametersCheck) resources(p *v1alpha1.PodParameters) {
	r := p.Resources
	if r == nil {
		return
	}
	if len(r.Claims) > 0 {
		c.refuse("resources.claims", "a proxy has no claims on devices; remove them")
	}
	c.quantities("resources.requests", r.Requests)
	c.quantities("resources.limits", r.Limits)
	for _, name := range slices.Sorted(maps.Keys(r.Requests)) {
		asked := r.Requests[name]
		if most, bounded := r.Limits[name]; bounded && asked.Cmp(most) > 0 {
			c.refuse("resources.requests", "%s is %s, more than its limit of %s; ask for as much or less", name, asked.String(), most.String())
		}
	}
}

func (c parametersCheck) quantities(path string, list corev1.ResourceList) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		q := list[name]
		if q.Sign() < 0 || len(validation.IsQualifiedName(string(name))) > 0 {
			c.refuse(path, "%s of %q is no amount of a resource; give one like cpu: 100m", q.String(), name)
		}
	}
}

func (c parametersCheck) placement(p *v1alpha1.PodParameters) {
	for _, key := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(p.NodeSelector[key])) > 0 {
			c.refuse("nodeSelector", "%s=%q is no label; it is one like kubernetes.io/os=linux", key, p.NodeSelector[key])
		}
	}
	if name := p.PriorityClassName; name != nil && *name != "" && len(validation.IsDNS1123Subdomain(*name)) > 0 {
		c.refuse("priorityClassName", "%q is no name of a PriorityClass; correct it", *name)
	}
}

// images keeps out what can never be a reference, such as text with spaces.
var images = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/@-]{0,511}$`)

func (c parametersCheck) image(p *v1alpha1.PodParameters) {
	if p.Image != nil && !images.MatchString(*p.Image) {
		c.refuse("image", "%q is no reference to an image; it is one like example.com/sluice-proxy:1.2.3", *p.Image)
	}
	oneOf(c, "imagePullPolicy", p.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	for i, secret := range p.ImagePullSecrets {
		if len(validation.IsDNS1123Subdomain(secret.Name)) > 0 {
			c.refuse(item("imagePullSecrets", i)+".name", "%q is no name of a Secret; correct it", secret.Name)
		}
	}
}

func (c parametersCheck) replacement(p *v1alpha1.PodParameters) {
	if p.DisruptionBudget != nil {
		c.share("disruptionBudget.maxUnavailable", p.DisruptionBudget.MaxUnavailable)
	}
	if p.Strategy == nil {
		return
	}
	c.share("strategy.maxSurge", p.Strategy.MaxSurge)
	c.share("strategy.maxUnavailable", p.Strategy.MaxUnavailable)
	if none(p.Strategy.MaxSurge) && (p.Strategy.MaxUnavailable == nil || none(p.Strategy.MaxUnavailable)) {
		c.refuse("strategy.maxSurge", "with none to spare and none that may be away, no pod could ever be replaced; give one of the two 1 or more")
	}
}

// shares are what the API server takes for a share.
var shares = regexp.MustCompile(`^(100|[0-9]{1,2})%$`)

func (c parametersCheck) share(path string, value *intstr.IntOrString) {
	switch {
	case value == nil:
	case value.Type == intstr.Int && value.IntVal < 0, value.Type == intstr.String && !shares.MatchString(value.StrVal):
		c.refuse(path, "%q is no number of pods, and no share of them; it is one like 1 or 25%%", value.String())
	}
}

func none(value *intstr.IntOrString) bool {
	return value != nil && (value.Type == intstr.Int && value.IntVal == 0 || value.Type == intstr.String && (value.StrVal == "0%" || value.StrVal == "00%"))
}
