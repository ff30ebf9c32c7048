//go:build !unix

package relay

const kernelSplices = false

// isNotConnected is known on Unix alone.
func isNotConnected(error) bool { return false }

// brokenWrite is known on Unix alone.
func brokenWrite(error) bool { return false }
