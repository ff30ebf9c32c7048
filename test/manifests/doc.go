// Package manifests holds what is installed in a cluster to its promises: no
// right is a wildcard, the operator fits the restricted Pod Security standard, and
// no file is left out.
package manifests
