// Package pki makes the keys, certificates and kubeconfigs of a test cluster. They
// live as long as the cluster does and are worth nothing elsewhere. It must not
// be used for anything that outlives a test.
package pki
