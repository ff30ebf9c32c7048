package provision

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
)

// handover is how long a pod serves as before after it was told to go: nodes and
// load balancers take a moment to learn of it, and send new connections until
// then.
const handover = 5 * time.Second

// unbounded stands for a drain without a bound: a pod cannot wait for ever.
const unbounded = time.Hour

func replicas(in *Input) int32 { return orDefault(in.Pods.Replicas, 2) }

// deployment names no port of listeners: one that comes or goes must not replace
// pods.
func deployment(in *Input, site *Site) *appsv1.Deployment {
	count, kept := replicas(in), int32(2)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: in.meta(workloadName(in)),
		Spec: appsv1.DeploymentSpec{
			Replicas:             &count,
			RevisionHistoryLimit: &kept,
			Selector:             &metav1.LabelSelector{MatchLabels: workloadSelector(in)},
			Strategy:             strategy(in),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: in.workloadLabels(in.Pods.Labels), Annotations: in.annotations(in.Pods.Annotations)},
				Spec:       podSpec(in, site),
			},
		},
	}
	d.Labels = in.workloadLabels(nil)
	return d
}

// strategy adds a pod before it takes one away, where nothing else is said.
func strategy(in *Input) appsv1.DeploymentStrategy {
	surge, away := intstr.FromInt32(1), intstr.FromInt32(0)
	if s := in.Pods.Strategy; s != nil {
		surge, away = orDefault(s.MaxSurge, surge), orDefault(s.MaxUnavailable, away)
	}
	return appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &away},
	}
}

func podSpec(in *Input, site *Site) corev1.PodSpec {
	no, yes := false, true
	grace := gracePeriod(in.Drain)
	return corev1.PodSpec{
		ServiceAccountName:           unitName(in.Owner),
		AutomountServiceAccountToken: &no,
		EnableServiceLinks:           &no,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   &yes,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			Sysctls:        []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}},
		},
		TerminationGracePeriodSeconds: &grace,
		NodeSelector:                  in.Pods.NodeSelector,
		Tolerations:                   in.Pods.Tolerations,
		Affinity:                      in.Pods.Affinity,
		TopologySpreadConstraints:     spread(in),
		PriorityClassName:             orDefault(in.Pods.PriorityClassName, ""),
		ImagePullSecrets:              in.Pods.ImagePullSecrets,
		InitContainers:                installers(in, site),
		Containers:                    []corev1.Container{container(in, site)},
		Volumes:                       volumes(in, site),
	}
}

// gracePeriod is the time for the handover and the drain, and a little to end in.
func gracePeriod(drain time.Duration) int64 {
	if drain <= 0 {
		drain = unbounded
	}
	return int64((handover + drain + 5*time.Second + time.Second - 1) / time.Second)
}

// spread is over nodes by default. A constraint that does not say whose pods it
// counts would count none.
func spread(in *Input) []corev1.TopologySpreadConstraint {
	asked := in.Pods.TopologySpreadConstraints
	if asked == nil {
		asked = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		}}
	}
	var made []corev1.TopologySpreadConstraint
	for _, c := range asked {
		if c.LabelSelector == nil {
			c.LabelSelector = &metav1.LabelSelector{MatchLabels: workloadSelector(in)}
		}
		made = append(made, c)
	}
	return made
}

func container(in *Input, site *Site) corev1.Container {
	c := corev1.Container{
		Name:            "proxy",
		Image:           orDefault(in.Pods.Image, site.Image),
		ImagePullPolicy: orDefault(in.Pods.ImagePullPolicy, ""),
		Command:         []string{"/sluice-proxy"},
		Args:            append([]string{"proxy"}, arguments(in.Owner, site.Delivery)...),
		Env: []corev1.EnvVar{
			downward("POD_NAME", "metadata.name"), downward("POD_NAMESPACE", "metadata.namespace"), downward("NODE_NAME", "spec.nodeName"),
		},
		Ports:          []corev1.ContainerPort{{Name: "admin", ContainerPort: dataplanes.AdminPort, Protocol: corev1.ProtocolTCP}},
		Resources:      resources(in),
		VolumeMounts:   mounts(),
		ReadinessProbe: probe("/readyz", corev1.Probe{PeriodSeconds: 2, TimeoutSeconds: 2, FailureThreshold: 3}),
		LivenessProbe:  probe("/healthz", corev1.Probe{PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 3}),
		// What keeps it from starting is the last that it says, and the Gateway's
		// status says it.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          confined(),
	}
	if agent, ok := site.Agents[in.Controller]; ok {
		agent.runIn(&c, in)
	}
	return c
}

func confined() *corev1.SecurityContext {
	no, yes := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no,
		ReadOnlyRootFilesystem:   &yes,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func arguments(owner ir.Object, delivery string) []string {
	return []string{
		"--unit", owner.Kind + "/" + owner.Namespace + "/" + owner.Name,
		"--operator", delivery,
		"--token-file", tokenDir + "/token",
		"--ca-file", caDir + "/" + caKey,
		"--state-dir", stateDir,
		"--admin", fmt.Sprintf(":%d", dataplanes.AdminPort),
		"--node", "$(NODE_NAME)",
		"--stop-delay", handover.String(),
	}
}

func downward(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
}

func probe(path string, p corev1.Probe) *corev1.Probe {
	p.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("admin")}
	return &p
}

// resources bound memory and not CPU: a proxy that is held back at its limit of
// CPU answers everybody late.
func resources(in *Input) corev1.ResourceRequirements {
	return orDefault(in.Pods.Resources, corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
	})
}

const (
	tokenDir = "/var/run/sluice/token" //nolint:gosec // A path, not a credential.
	caDir    = "/var/run/sluice/ca"
	stateDir = "/var/run/sluice/state"
)

func mounts() []corev1.VolumeMount {
	return []corev1.VolumeMount{
		{Name: "token", MountPath: tokenDir, ReadOnly: true},
		{Name: "ca", MountPath: caDir, ReadOnly: true},
		{Name: "state", MountPath: stateDir},
	}
}

// volumes hold the state in memory: it has private keys in it, and must outlive
// the container but not the pod.
func volumes(in *Input, site *Site) []corev1.Volume {
	hour := int64(3600)
	made := []corev1.Volume{
		{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: wire.Audience, ExpirationSeconds: &hour, Path: "token",
			}}},
		}}},
		{Name: "ca", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: unitName(in.Owner)},
		}}},
		{Name: "state", VolumeSource: inMemory()},
	}
	if _, ok := site.Agents[in.Controller]; ok {
		made = append(made, agentVolumes()...)
	}
	return made
}

func inMemory() corev1.VolumeSource {
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}
}
