// Package kube is the source that reads a cluster: what its API server holds, as
// events for the engine.
//
// It watches each kind that Sluice reads in the version that the cluster serves,
// for as long as its CustomResourceDefinition is there: a kind that is missing is
// listed and empty, and is watched once it appears. It never installs or changes
// a CRD. Of Secrets and ConfigMaps it watches the metadata alone, and reads those
// that the engine wants. What only writes of statuses change is no event.
//
// It translates nothing, writes nothing, and judges no object.
package kube
