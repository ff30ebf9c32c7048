// Package engine is the one loop of Sluice, and the one place that knows both
// ends: events go into the Set, the front ends translate the units that the
// events touch, what changed goes to the dataplanes, and what became of it comes
// out as status.
//
// One goroutine owns the Set and the front ends. The first event starts a round
// at once; the rest gather while it runs. Nothing is sent or said of a unit
// while anything that its translation read is still pending. A unit whose hash
// is the same is not sent again, and a change of endpoints alone is neither
// translated nor hashed. An edit leaves Programmed as it was until the proxy has
// answered, or has had 10 s to.
//
// The package decides nothing about routes or proxies.
package engine
