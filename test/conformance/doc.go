// Package conformance runs Gateway API's official suite against Sluice in a
// cluster of its own, and writes the report that Gateway API asks of
// implementations. It must not leave a test of the suite out, nor give one more
// time than the suite does: what fails is a fault of the product or of the
// cluster, and is mended there.
package conformance
