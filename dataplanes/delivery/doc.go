// Package delivery is how the operator hands units to the pods that run them:
// wire says what travels, server is the operator's end and client the pods'.
//
// It holds no code of its own, and none of its rooms knows Kubernetes.
package delivery
