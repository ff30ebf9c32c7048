// Package server is the operator's end of delivery: it lets pods in, sends each
// what it lacks of its unit's set of now, and tells what each one runs.
//
// A pod that is slow has one push under way and the newest set next, whatever
// happened between. The package knows no Kubernetes: who a token belongs to, and
// what a pod was made for, are functions that it is given.
package server
