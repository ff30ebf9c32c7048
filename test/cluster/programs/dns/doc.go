//go:build programs

// CoreDNS with only the plugins that a test cluster needs: the full set pulls in
// every cloud's libraries. It is built by the package programs, with the tag
// programs, so that linting and testing a checkout do not compile it.
package main
