// Command sluice-proxy is what runs in the pods of a Gateway. It starts what
// dataplanes/pod wires and decides nothing; no Kubernetes package is in it.
package main
