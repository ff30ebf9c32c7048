// Package goproxy is Sluice's built-in proxy as a dataplane: it puts listen,
// wire, table, filter and upstream together, one set for each unit, and puts
// units in force and takes them out again.
//
// Everything that a request needs is one generation, read once when the request
// begins: its table, its pools and its settings. Putting another in force is
// one atomic store, so a request never sees half a change. The package must
// hold no logic of its own about matches, filters or connections.
package goproxy
