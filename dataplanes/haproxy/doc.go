// Package haproxy is HAProxy as a dataplane: a process of it for each unit, whose
// parent this program is. What changes often is told to the process that runs over its
// runtime API; what is structure goes into its files, is checked there, and takes a
// reload, which counts as done once the new worker answers.
//
// The files always say what runs, so that a process that ends is started again with
// the same.
//
// It must not know Kubernetes, nor how a unit is said to HAProxy, which is
// translators/haproxy's.
package haproxy
