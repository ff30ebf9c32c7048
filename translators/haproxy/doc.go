// Package haproxy writes a unit for HAProxy 3.0 and newer: sections of its
// configuration, the rows of its map, servers, certificates and the other files that
// it reads.
//
// What changes often, and what a request is led by, is data that a running HAProxy
// takes without a reload: hosts, paths, matches and weights are rows of one map,
// endpoints are servers, certificates are files. What is left, which is how requests
// to one backend are handled, is a section that is named by its content: two rules
// that ask the same of one backend share it, so that a rule that asks for nothing new
// changes no section.
//
// It is pure: no files, no processes, no clock. Applying it is dataplanes/haproxy's.
package haproxy
