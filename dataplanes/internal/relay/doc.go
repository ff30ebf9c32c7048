// Package relay moves bytes between two connections, both ways, until both have
// ended: what a TLSRoute or a TCPRoute does once its backend is connected.
//
// The end of one direction is passed on as such, and the other goes on. A
// connection that breaks is passed on as broken, so that nobody takes half a
// stream for a whole one. It must not look at the bytes, and knows neither routes
// nor backends.
package relay
