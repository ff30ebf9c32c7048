// Package fleet runs units as pods of a cluster: it has them provisioned, hands
// them what they are to run, and says what became of it.
//
// It joins two things that know nothing of each other: what Kubernetes says of
// the pods, and what the pods say of themselves. It makes no objects and speaks
// no protocol, and it decides nothing about routes.
package fleet
