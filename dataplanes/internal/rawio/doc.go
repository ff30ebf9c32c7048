// Package rawio reads from sockets with a buffer that is taken only once there
// is something to read, so that ten thousand connections that say nothing hold
// no memory. Where a platform has no such thing, a read holds its buffer.
//
// It must not know what is read.
package rawio
