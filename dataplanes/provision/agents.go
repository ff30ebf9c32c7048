package provision

import (
	corev1 "k8s.io/api/core/v1"
)

// Agent is a proxy that is a program of its own. It runs in its own image, which
// is as its makers made it: an init container of our image brings sluice-proxy,
// which is the proxy's parent.
type Agent struct {
	// Dataplane is the proxy's name, as `sluice-proxy agent --dataplane` knows it.
	Dataplane string
	// Image is the proxy's own, where parameters name no other.
	Image string
	// User is the number of the image's user, where the image has its name: of a
	// name, a kubelet cannot tell that it is not root. 0 where the image has the
	// number.
	User int64
}

// programDir is where the init container puts our program, and runDir where the
// proxy's parent and the proxy have their sockets and files.
const (
	programDir = "/opt/sluice"
	runDir     = "/var/run/sluice/run"
)

// runIn makes a container the proxy's own, with our program beside it.
func (a Agent) runIn(c *corev1.Container, in *Input) {
	c.Image = orDefault(in.Pods.Image, a.Image)
	c.Command = []string{programDir + "/sluice-proxy"}
	c.Args = append([]string{"agent", "--dataplane", a.Dataplane, "--run-dir", runDir}, c.Args[1:]...)
	if a.User != 0 {
		c.SecurityContext.RunAsUser = &a.User
	}
	c.VolumeMounts = append(c.VolumeMounts,
		corev1.VolumeMount{Name: "program", MountPath: programDir, ReadOnly: true},
		corev1.VolumeMount{Name: "run", MountPath: runDir},
	)
}

// installers are the init containers. Theirs are the resources of the proxy: they
// end before it begins, so the pod asks for no more, and quotas that want every
// container to say what it needs are content.
func installers(in *Input, site *Site) []corev1.Container {
	if _, ok := site.Agents[in.Controller]; !ok {
		return nil
	}
	return []corev1.Container{{
		Name:                     "install",
		Image:                    site.Image,
		ImagePullPolicy:          orDefault(in.Pods.ImagePullPolicy, ""),
		Command:                  []string{"/sluice-proxy"},
		Args:                     []string{"install", "--to", programDir},
		Resources:                resources(in),
		VolumeMounts:             []corev1.VolumeMount{{Name: "program", MountPath: programDir}},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          confined(),
	}}
}

// agentVolumes hold our program, which is too large for the pod's memory, and
// what the proxy and its parent share: private keys may be in it.
func agentVolumes() []corev1.Volume {
	return []corev1.Volume{
		{Name: "program", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "run", VolumeSource: inMemory()},
	}
}
