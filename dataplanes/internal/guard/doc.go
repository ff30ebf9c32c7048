// Package guard knows what the process can bear: how many clients, requests and
// idle connections its descriptors allow, and whether its memory is nearly used
// up. It says no before the system does, since a system that has run out fails
// whoever comes next, requests of clients that were let in among them.
//
// It must not know what is guarded: listeners, requests and pools ask it, and
// answer for themselves.
package guard
