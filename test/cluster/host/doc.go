// Package host is the process that a test cluster lives in: it starts the control
// plane, the nodes and what belongs to them, tells what it does, and takes
// everything down again when it is asked to, when it is stopped by a signal, and
// when the program that wanted the cluster ends. It must not outlive what it
// started, nor start anything that outlives it: the kernel ends its children
// with it.
package host
