// Cluster starts, stops and looks after the test cluster of this machine from a
// command line. Two of its commands, serve and node, are the cluster's own
// processes and of no use to anybody else.
package main
