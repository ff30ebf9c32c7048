// Package provision holds the tests of dataplanes/provision against a real API
// server with its controllers: what is written, what is put right, what is left
// alone, and what goes.
//
// SLUICE_E2E_KUBECONFIG names a cluster that may be used for it; without it the
// tests are skipped. No node is needed: the tests say themselves which pods are
// ready, and which address a load balancer gives. The package must not test what
// proxies do with traffic.
package provision
