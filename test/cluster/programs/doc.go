// Package programs builds what a test cluster runs, from Go modules alone: once,
// into the user's cache folder, under a key made of everything that decides the
// result. The modules below it have no Go files of their own, or none without
// the tag programs: they say which versions are built, and checking a checkout
// does not compile Kubernetes.
//
// It must not install anything on the machine.
package programs
