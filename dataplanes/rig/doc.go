// Package rig is for tests of dataplanes: a proxy that runs, the unit that it serves,
// the backends that the unit leads to, and clients. Nothing but tests imports it.
//
// Contract is what every dataplane is held to. Rig must not know which one it is.
package rig
