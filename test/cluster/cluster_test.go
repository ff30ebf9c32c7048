package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/sluice-gateway/sluice/test/cluster/audit"
	"github.com/sluice-gateway/sluice/test/cluster/host"
	"github.com/sluice-gateway/sluice/test/cluster/pki"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// booted is a cluster and what a test asks of it.
type booted struct {
	*Cluster
	t      *testing.T
	client *kubernetes.Clientset
}

func TestClusterOfOneNode(t *testing.T)     { boots(t, Options{Nodes: 1}) }
func TestClusterOfTwoFamilies(t *testing.T) { boots(t, Options{Nodes: 2, DualStack: true}) }

func TestClusterWithoutNodes(t *testing.T) {
	c := boot(t, Options{})
	services, err := c.client.CoreV1().Services("default").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(services.Items) != 1 {
		t.Errorf("got %v, %v; want the Service kubernetes alone", services, err)
	}
	c.service("lb", netip.Addr{})
	c.loadBalancer("lb")
}

// boot starts a cluster, stops it when the test ends, and looks for what is left.
func boot(t *testing.T, o Options) *booted {
	t.Helper()
	if os.Getenv("SLUICE_CLUSTER_TEST") == "" {
		t.Skip("boots a cluster and needs root: make cluster-test")
	}
	before := machine(t)
	began := time.Now()
	o.Progress = t.Output()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %s", time.Since(began).Round(100*time.Millisecond))
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if after := machine(t); after != before {
			t.Errorf("the cluster has left something: before\n%s\nafter\n%s", before, after)
		}
		if _, err := os.Stat(c.Plan().Dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there", c.Plan().Dir)
		}
	})
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &booted{Cluster: c, t: t, client: client}
}

// machine is what a cluster could leave on it: links, routes, rules, cgroups,
// mounts, folders, processes.
func machine(t *testing.T) string {
	t.Helper()
	var found []string
	for _, command := range [][]string{
		{"ip", "-o", "-brief", "link"}, {"ip", "route"}, {"ip", "-6", "route"}, {"ip", "netns"}, {"nft", "list", "ruleset"},
	} {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
		found = append(found, string(out))
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/*sluice*")
	more, _ := filepath.Glob("/sys/fs/cgroup/*sluice*")
	found = append(append(append(found, string(mounts)), cgroups...), more...)
	for _, dir := range append(plan.MountPoints(), "/etc/cni", "/opt/cni", "/opt/containerd", "/run/nri", "/usr/libexec/kubernetes") {
		if _, err := os.Stat(dir); err == nil {
			found = append(found, dir)
		}
	}
	return strings.Join(append(found, clusterProcesses()...), "\n")
}

func clusterProcesses() []string {
	var found []string
	names, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, name := range names {
		if program, err := os.Readlink(name); err == nil && strings.Contains(program, "/programs-") {
			found = append(found, program)
		}
	}
	return found
}

// boots holds a cluster with nodes to all that README.md promises.
func boots(t *testing.T, o Options) {
	t.Helper()
	c := boot(t, o)
	c.service("lb", netip.Addr{})
	addresses := c.loadBalancer("lb")
	c.reachesDNS("load balancer", addresses)
	c.reachesOtherWays("lb")
	c.staticAddress()
	c.second()
	c.runsPrograms()
	c.restricts()
	c.audits()
	c.reboots()
	c.reachesDNS("load balancer, after a reboot", addresses)
	c.apiServerRestarts()
}

// service makes a Service of type LoadBalancer of the cluster's DNS, which
// answers over TCP and UDP.
func (c *booted) service(name string, static netip.Addr) {
	c.t.Helper()
	policy := corev1.IPFamilyPolicySingleStack
	if c.Plan().DualStack && !static.IsValid() {
		policy = corev1.IPFamilyPolicyRequireDualStack
	}
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, IPFamilyPolicy: &policy, Selector: map[string]string{"k8s-app": "kube-dns"},
			Ports: []corev1.ServicePort{
				{Name: "udp", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(53)},
				{Name: "tcp", Port: 53, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(53)},
			},
		},
	}
	if static.IsValid() {
		s.Annotations["metallb.io/loadBalancerIPs"] = static.String()
	}
	if _, err := c.client.CoreV1().Services(s.Namespace).Create(c.t.Context(), s, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *booted) get(name string) *corev1.Service {
	c.t.Helper()
	s, err := c.client.CoreV1().Services("kube-system").Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// loadBalancer waits for MetalLB's addresses, one of each family.
func (c *booted) loadBalancer(name string) []string {
	c.t.Helper()
	var addresses []string
	c.eventually("addresses of "+name, func() error {
		addresses = nil
		for _, ingress := range c.get(name).Status.LoadBalancer.Ingress {
			addresses = append(addresses, net.JoinHostPort(ingress.IP, "53"))
		}
		if len(addresses) != len(c.Plan().LoadBalancers()) {
			return fmt.Errorf("got %v", addresses)
		}
		return nil
	})
	return addresses
}

// reachesDNS asks at each address over UDP and TCP for a name that the cluster's
// DNS alone knows.
func (c *booted) reachesDNS(what string, addresses []string) {
	c.t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		for _, address := range addresses {
			c.asks(fmt.Sprintf("%s: %s %s", what, network, address), network, address)
		}
	}
}

func (c *booted) asks(what, network, address string) {
	c.t.Helper()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	c.eventually(what, func() error {
		ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Second)
		defer cancel()
		ips, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
		if err == nil && (len(ips) != 1 || ips[0] != "10.96.0.1") {
			err = fmt.Errorf("got %v", ips)
		}
		return err
	})
}

// reachesOtherWays goes to the cluster IPs, node ports and pods of a Service.
func (c *booted) reachesOtherWays(name string) {
	c.t.Helper()
	var clusterIPs, podIPs []string
	for _, ip := range c.get(name).Spec.ClusterIPs {
		clusterIPs = append(clusterIPs, net.JoinHostPort(ip, "53"))
	}
	c.reachesDNS("cluster IP", clusterIPs)
	for _, port := range c.get(name).Spec.Ports {
		for i := 1; i <= c.Plan().Nodes; i++ {
			for _, node := range c.Plan().Node(i) {
				address := net.JoinHostPort(node.Addr().String(), fmt.Sprint(port.NodePort))
				if len(c.Plan().Node(i)) > 1 && node.Addr().Is6() && !c.nodeHas(i, node.Addr()) {
					c.t.Errorf("node %d does not have %s", i, node.Addr())
				}
				c.asks("node port "+address, port.Name, address)
			}
		}
	}
	pods, err := c.client.CoreV1().Pods("kube-system").List(c.t.Context(), metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil || len(pods.Items) == 0 {
		c.t.Fatalf("pods of DNS: %v, %v", pods, err)
	}
	for _, ip := range pods.Items[0].Status.PodIPs {
		podIPs = append(podIPs, net.JoinHostPort(ip.IP, "53"))
	}
	if len(podIPs) != len(c.Plan().Pods()) {
		c.t.Errorf("the pod of DNS has %v, want an address of each family", podIPs)
	}
	c.reachesDNS("pod", podIPs)
}

func (c *booted) nodeHas(i int, ip netip.Addr) bool {
	out, err := c.InNode(c.t.Context(), i, "ip", "-brief", "addr")
	return err == nil && strings.Contains(out, ip.String()+"/")
}

// staticAddress asks for an address of the static pool, and for one that no pool
// has.
func (c *booted) staticAddress() {
	c.t.Helper()
	want := netip.MustParseAddr("10.97.1.7")
	c.service("static", want)
	c.eventually("static address", func() error {
		ingress := c.get("static").Status.LoadBalancer.Ingress
		if len(ingress) != 1 || ingress[0].IP != want.String() {
			return fmt.Errorf("got %v, want %s", ingress, want)
		}
		return nil
	})
	c.asks("static address", "udp", want.String()+":53")
	c.service("nowhere", netip.MustParseAddr("10.99.0.1"))
	c.eventually("refusal of an address of no pool", func() error {
		events, err := c.client.CoreV1().Events("kube-system").List(c.t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=nowhere,reason=AllocationFailed"})
		if err == nil && len(events.Items) == 0 {
			err = errors.New("no event AllocationFailed")
		}
		return err
	})
	if ingress := c.get("nowhere").Status.LoadBalancer.Ingress; len(ingress) > 0 {
		c.t.Errorf("10.99.0.1 was asked for, %v was given", ingress)
	}
}

// second sees that there is one cluster at a time, and that it is found.
func (c *booted) second() {
	c.t.Helper()
	if _, err := Start(c.t.Context(), Options{Progress: c.t.Output()}); !errors.Is(err, ErrRuns) {
		c.t.Errorf("a second cluster: got %v, want ErrRuns", err)
	}
	found, err := Connect(c.t.Context())
	if err != nil || found.Kubeconfig() != c.Kubeconfig() || found.Plan().DualStack != c.Plan().DualStack {
		c.t.Errorf("Connect: %v, %v", found, err)
	}
}

// runsPrograms makes an image of a program and runs it in a pod with no rights.
func (c *booted) runsPrograms() {
	c.t.Helper()
	if err := c.LoadProgram(c.t.Context(), "localhost/test:dev", filepath.Join(c.Plan().Bin, "echo-basic")); err != nil {
		c.t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "restricted", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if _, err := c.client.CoreV1().Namespaces().Create(c.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the namespace's ServiceAccount", func() error {
		_, err := c.client.CoreV1().ServiceAccounts(ns.Name).Get(c.t.Context(), "default", metav1.GetOptions{})
		return err
	})
	if _, err := c.client.CoreV1().Pods(ns.Name).Create(c.t.Context(), pod("test", true), metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("an answer of the pod", func() error { return c.answers(ns.Name, "test") })
}

func (c *booted) answers(namespace, name string) error {
	p, err := c.client.CoreV1().Pods(namespace).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://" + net.JoinHostPort(p.Status.PodIP, "3000") + "/")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// pod is one that the restricted standard allows, or forbids.
func pod(name string, restricted bool) *corev1.Pod {
	no, yes := false, true
	security := &corev1.SecurityContext{}
	if restricted {
		security = &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes, ReadOnlyRootFilesystem: &yes,
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "test", Image: "localhost/test:dev", ImagePullPolicy: corev1.PullNever, SecurityContext: security,
			Env: []corev1.EnvVar{{Name: "POD_NAME", Value: name}, {Name: "NAMESPACE", Value: "restricted"}},
		}}},
	}
}

// restricts sees that the API server enforces Pod Security.
func (c *booted) restricts() {
	c.t.Helper()
	_, err := c.client.CoreV1().Pods("restricted").Create(c.t.Context(), pod("forbidden", false), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		c.t.Errorf("a pod without restrictions: got %v, want a refusal", err)
	}
}

// audits sees a write of this test and MetalLB's writes of statuses in the log.
func (c *booted) audits() {
	c.t.Helper()
	since := time.Now()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "audited"}}
	if _, err := c.client.CoreV1().Namespaces().Create(c.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	c.logged(audit.Filter{Verbs: []string{"create"}, Resources: []string{"namespaces"}, Users: []string{"admin"}, Since: since}, "audited")
	c.logged(audit.Filter{Verbs: audit.Writes, Resources: []string{"services/status"}, Users: []string{pki.MetalLB}, Name: "lb"}, "lb")
}

func (c *booted) logged(f audit.Filter, name string) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("audit event %+v", f), func() error {
		found := 0
		for e, err := range c.Audit(f) {
			if err != nil {
				return err
			}
			if e.ObjectRef.Subresource == "status" && len(e.RequestObject) == 0 {
				return errors.New("what was written to a status is not in the log")
			}
			if e.ObjectRef.Name == name {
				found++
			}
		}
		if found == 0 {
			return errors.New("not found")
		}
		return nil
	})
}

// reboots cuts a node's power and boots it; what ran there runs again.
func (c *booted) reboots() {
	c.t.Helper()
	last := c.Plan().Nodes
	if _, err := c.InNode(c.t.Context(), last, "touch", "/run/containerd/before"); err != nil {
		c.t.Fatal(err)
	}
	if err := c.RebootNode(c.t.Context(), last); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.InNode(c.t.Context(), last, "stat", "/run/containerd/before"); err == nil {
		c.t.Error("what was in memory has outlived a reboot")
	}
	c.eventually("an answer of the pod after a reboot", func() error { return c.answers("restricted", "test") })
}

// apiServerRestarts cuts the API server's power and starts it.
func (c *booted) apiServerRestarts() {
	c.t.Helper()
	if err := c.StopProcess(c.t.Context(), "kube-apiserver"); err != nil {
		c.t.Fatal(err)
	}
	if err := c.StartProcess(c.t.Context(), "kube-apiserver"); err != nil {
		c.t.Fatal(err)
	}
	if out, err := c.Kubectl(c.t.Context(), "get", "namespace", "audited", "-o", "name"); err != nil || strings.TrimSpace(out) != "namespace/audited" {
		c.t.Errorf("after a restart: %q, %v", out, err)
	}
	if err := c.StartProcess(c.t.Context(), "nonsense"); err == nil {
		c.t.Error("a process that does not exist was started")
	}
}

func (c *booted) eventually(what string, ask func() error) {
	c.t.Helper()
	until(c.t, what, ask)
}

// until asks until there is no error.
func until(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A killed keeper takes its processes along, and the next one cleans up.
func TestClusterOfAKilledKeeper(t *testing.T) {
	c := boot(t, Options{Nodes: 1})
	s, err := state(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(s.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.eventually("the end of all processes", func() error {
		if left := clusterProcesses(); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	if err := host.Free(); err != nil {
		t.Error(err)
	}
}

// A test program that dies takes its cluster along.
func TestClusterOfADeadTest(t *testing.T) {
	if os.Getenv("SLUICE_CLUSTER_TEST") == "" {
		t.Skip("boots a cluster and needs root: make cluster-test")
	}
	const child = "SLUICE_CLUSTER_CHILD"
	if os.Getenv(child) != "" {
		if _, err := Start(t.Context(), Options{Nodes: 1, Progress: os.Stdout}); err != nil {
			t.Fatal(err)
		}
		select {} // Until it is killed.
	}
	for _, moment := range []string{"started", "ready"} {
		t.Run(moment, func(t *testing.T) {
			before := machine(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClusterOfADeadTest$")
			cmd.Env = append(os.Environ(), child+"=1")
			lines, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			scanner := bufio.NewScanner(lines)
			line := ""
			for scanner.Scan() && !strings.HasSuffix(line, moment) {
				line = scanner.Text()
				t.Log(line)
			}
			if !strings.HasSuffix(line, moment) {
				t.Fatalf("its cluster never got as far as %q", moment)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // It was killed.
			until(t, "the end of its cluster", host.Free)
			if after := machine(t); after != before {
				t.Errorf("the cluster has left something: before\n%s\nafter\n%s", before, after)
			}
		})
	}
}
