// Package kube writes statuses to a cluster.
//
// A status is written when it differs from what the API server has, once, by the
// leader alone, and never for an object that nobody here looks after. Lists of
// routes and policies are patched entry by entry: those of other controllers stay
// byte for byte what they were. Gateways, ListenerSets and GatewayClasses are
// applied server-side. Everything is written with the resourceVersion that was
// read: a conflict is news, and is looked at again.
//
// It decides nothing: what conditions say comes from findings.
package kube
