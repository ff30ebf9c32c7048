// Package ports keeps which sockets the units of this program have, and says why one
// cannot be had.
//
// It must not know which proxy binds them.
package ports
