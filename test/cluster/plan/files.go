package plan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Run is where the cluster that runs on this machine is found: a lock, a socket
// and the plan. There is one such folder, because the addresses are fixed.
const Run = "/run/sluice-test-cluster"

// Lock is held by the process that a cluster lives in.
func Lock() string { return filepath.Join(Run, "lock") }

// Socket is where that process takes requests.
func Socket() string { return filepath.Join(Run, "socket") }

// PID holds that process's id.
func PID() string { return filepath.Join(Run, "pid") }

// Current is the plan of the cluster that runs.
func Current() string { return filepath.Join(Run, "plan.json") }

// File returns the path of a file in the state folder.
func (p Plan) File(name ...string) string { return filepath.Join(append([]string{p.Dir}, name...)...) }

// Log is where a process of the host writes.
func (p Plan) Log(name string) string { return p.File("logs", name+".log") }

// Audit is the API server's audit log.
func (p Plan) Audit() string { return p.File("audit.log") }

// Kubeconfig is the file for a user: "admin" is in system:masters.
func (p Plan) Kubeconfig(user string) string { return p.File(user + ".kubeconfig") }

// Program is the path of a built program.
func (p Plan) Program(name string) string { return filepath.Join(p.Bin, name) }

// Write puts the plan into a file that Read understands.
func (p Plan) Write(file string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// Read returns the plan that a file holds.
func Read(file string) (Plan, error) {
	var p Plan
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(data, &p)
}

func list[T fmt.Stringer](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String()
	}
	return strings.Join(texts, ",")
}

// MountPoints are the folders that each node has its own of.
func MountPoints() []string {
	return []string{
		"/run/containerd", "/run/netns", "/var/lib/containerd", "/var/lib/kubelet",
		"/var/log/pods", "/var/log/containers", "/etc/cni/net.d", "/var/lib/cni",
	}
}
