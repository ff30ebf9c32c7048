// Package gatewayapi translates Gateway API objects into units of the ir, and
// states what it found out about each object.
//
// It is pure: it knows no context, client, clock, logger or error. It is total:
// whatever an object holds, a result comes back, and what is wrong with one
// object is a finding on that object and costs no other object anything.
// References are resolved once, and both traffic and status use that one
// answer, so the two cannot disagree.
package gatewayapi
