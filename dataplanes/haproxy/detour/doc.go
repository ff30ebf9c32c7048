// Package detour serves what HAProxy cannot: requests that are mirrored or that
// external authorization is asked for, datagrams, and TLS whose certificates carry
// names that HAProxy does not read. HAProxy sends such requests here over a socket of
// its folder, and takes them back over another, so that endpoints, retries and
// sessions are its own for them too.
//
// Filters, pools, mirrors and datagrams are the rooms of dataplanes/internal. The
// package must not choose rules or endpoints of requests, and must not start or
// configure HAProxy.
package detour
