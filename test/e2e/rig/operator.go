package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Leader returns the pod of the operator that leads. The lease names the pod.
func (r *Rig) Leader(ctx context.Context) (*corev1.Pod, error) {
	var lease coordinationv1.Lease
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: Operator}, &lease); err != nil {
		return nil, err
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return nil, errors.New("nobody leads")
	}
	if until := lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second); until.Before(time.Now()) {
		return nil, fmt.Errorf("%s led until %s", *lease.Spec.HolderIdentity, until)
	}
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	var pod corev1.Pod
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: name}, &pod)
	return &pod, err
}

// NewLeader waits until another pod than before leads, and every replica is there.
func (r *Rig) NewLeader(t testing.TB, before string) {
	t.Helper()
	Eventually(t, "a leader after "+before, func(ctx context.Context) error {
		now, err := r.Leader(ctx)
		if err == nil && now.Name == before {
			err = fmt.Errorf("%s still leads", before)
		}
		return err
	})
	r.OperatorReady(t)
}

// Restarted waits until a container runs in the place of one that was killed, and
// every replica is there. Who leads then may be the same pod.
func (r *Rig) Restarted(t testing.TB, before *corev1.Pod) {
	t.Helper()
	Eventually(t, "a new container in "+before.Name, func(ctx context.Context) error {
		var pod corev1.Pod
		if err := r.Client.Get(ctx, client.ObjectKeyFromObject(before), &pod); err != nil {
			return err
		}
		now, was := pod.Status.ContainerStatuses[0], before.Status.ContainerStatuses[0]
		if now.ContainerID == was.ContainerID || !now.Ready {
			return fmt.Errorf("it has restarted %d times and is in the state %+v", now.RestartCount, now.State)
		}
		return nil
	})
	r.OperatorReady(t)
}

// OperatorReady waits until every replica of the operator is there.
func (r *Rig) OperatorReady(t testing.TB) {
	t.Helper()
	Eventually(t, "all replicas of the operator", func(ctx context.Context) error {
		var d appsv1.Deployment
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: Operator}, &d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration != d.Generation || d.Status.AvailableReplicas != *d.Spec.Replicas || d.Status.Replicas != *d.Spec.Replicas {
			return fmt.Errorf("%d of %d are available, %d in all", d.Status.AvailableReplicas, *d.Spec.Replicas, d.Status.Replicas)
		}
		return nil
	})
}

// Kill ends the processes of a pod's containers at once, as a lack of memory
// does. Nodes are this machine's processes, so their pods are, too.
func (r *Rig) Kill(pod *corev1.Pod) error {
	pids, err := Processes(pod)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return nil
}

// Processes returns the ids of a pod's processes on this machine, but for the one
// that holds its namespaces.
func Processes(pod *corev1.Pod) ([]int, error) {
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range groups {
		// Processes come and go meanwhile.
		group, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(group, []byte(string(pod.UID))) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || bytes.HasPrefix(line, []byte("/pause")) || len(line) == 0 {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("no process of this machine belongs to the pod %s", pod.Name)
	}
	return pids, nil
}

// CPU is the time that all of the operator's processes have computed so far.
func (r *Rig) CPU(t testing.TB) time.Duration {
	t.Helper()
	var pods corev1.PodList
	err := r.Client.List(t.Context(), &pods, client.InNamespace(SystemNamespace), client.MatchingLabels{"app.kubernetes.io/component": "operator"})
	if err != nil {
		t.Fatal(err)
	}
	var sum time.Duration
	for i := range pods.Items {
		pids, err := Processes(&pods.Items[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			sum += cpu(t, pid)
		}
	}
	return sum
}

// Watcher runs a program that does nothing but watch HTTPRoutes, until the test
// ends: what receiving them costs anybody. It returns what it has computed so far.
func (r *Rig) Watcher(t testing.TB, ns string) func() time.Duration {
	t.Helper()
	cmd := exec.Command(r.Plan().Program("kubectl"), "--kubeconfig", r.Kubeconfig(), "-n", ns, "get", "httproutes", "--watch", "-o", "name")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return func() time.Duration { return cpu(t, cmd.Process.Pid) }
}

// cpu reads utime and stime, which are in hundredths of a second.
func cpu(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is a name in brackets that may have spaces.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
