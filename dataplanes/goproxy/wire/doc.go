// Package wire speaks HTTP with clients: it turns what a connection says into
// exchange.Request, and exchange.Response into what the client is told.
//
// Everything doubtful stops here, at the door: paths that two readers could
// read differently, hop-by-hop fields, lengths and limits. HTTP/1.1 is read by
// wire/h1, and HTTP/2 by net/http, in this package alone; what comes after knows
// neither its Request nor its ResponseWriter. It must not know about routes or
// backends.
package wire
