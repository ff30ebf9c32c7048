// Package pod is what a program in a proxy's pod is made of: flags, the client of
// delivery, the admin server, and the order of things when the pod ends.
//
// It knows no proxy's inside and no Kubernetes. What a pod may not do without a
// set of its operator, serve anything, it does not.
package pod
