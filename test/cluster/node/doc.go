// Package node is the first process of a test cluster's node, in network, mount,
// process, name and IPC namespaces of its own: it gives the node its addresses
// and folders, starts containerd, kubelet and kube-proxy, and reaps what they
// leave behind. All of the node ends with it. It must not write outside of the
// node's folder.
package node
