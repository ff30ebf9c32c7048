// Package client is a pod's end of delivery: it keeps a stream to the operator
// that leads, puts together the sets that it sends, hands them to the proxy of
// this pod as a whole, and reports what that runs.
//
// A set that cannot be read or put together changes nothing. The last one that
// served is kept in a file, and serves again after a restart before anybody has
// answered. The package never prints what is in a part.
package client
