// Package schema checks and defaults one object as a Kubernetes API server
// would: the structural schemas, defaults, list types and CEL rules of the
// official CustomResourceDefinitions for Gateway API, and the checks that matter
// for the core kinds that Sluice reads.
//
// An object is judged as if it were created: rules that compare with an older
// state do not run, because in a directory every edit can be a deletion and a
// creation. The package reads no file and knows no other object.
package schema
