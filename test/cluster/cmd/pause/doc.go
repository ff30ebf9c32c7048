// Pause holds a pod's namespaces open and reaps the processes that are left to
// it, as the first process of a pod must. It must not do anything else.
package main
