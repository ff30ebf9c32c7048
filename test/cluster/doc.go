// Package cluster boots a real Kubernetes for tests on this machine, without
// Docker: API server, controllers, scheduler, nodes with containerd, kubelet and
// kube-proxy, DNS, and MetalLB for load balancers' addresses. README.md says what
// it needs, and what it does not prove.
//
// There is one cluster on a machine at a time. A cluster ends, with all that
// belongs to it, when Stop is called or the program that started it ends.
//
// It must not know the product: what a test installs is the test's own business.
package cluster
