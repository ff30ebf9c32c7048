package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// unprivileged are the lines of /proc/PID/status of a process that can become
// nothing more than it is.
var unprivileged = []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}

// confined holds every process of a pod of a proxy, and so the proxy itself where it
// is another's program, to what its container was told: no root, no capability, no
// root file system to write to.
func confined(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	pids, err := rig.Processes(pod)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			// It has ended meanwhile, as a worker of HAProxy does.
			continue
		}
		for _, line := range unprivileged {
			if !strings.Contains(string(status), line+"\n") {
				t.Errorf("a process of %s has not %q:\n%s", pod.Name, line, status)
			}
		}
		if strings.Contains(string(status), "\nUid:\t0\t") {
			t.Errorf("a process of %s is root", pod.Name)
		}
		mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if err == nil && !rootIsReadOnly(string(mounts)) {
			t.Errorf("a process of %s can write to the root of its file system", pod.Name)
		}
	}
}

// rootIsReadOnly looks for the mount at "/", whose options are its sixth field.
func rootIsReadOnly(mounts string) bool {
	for line := range strings.Lines(mounts) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			return strings.HasPrefix(f[5], "ro")
		}
	}
	return false
}
