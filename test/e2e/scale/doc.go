// Package scale counts, in the API server's audit log, what a thousand routes
// cost: `make scale`. It has a cluster of its own, and takes minutes. It must not
// fail for being slow: what takes how long is printed beside what is aimed at.
package scale
