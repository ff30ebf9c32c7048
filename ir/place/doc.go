// Package place says which endpoints of a backend are meant for a proxy, by where
// it runs: the one home of the hints that EndpointSlices carry, for every proxy.
//
// It must not choose among endpoints that are meant alike, nor know whether one
// answers.
package place
