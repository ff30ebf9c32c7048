// Package plan says where everything of a test cluster is: addresses, names,
// folders. It is plain data and pure functions, shared by the programs that make
// the cluster and the package that tests use. It must not touch the machine.
package plan
