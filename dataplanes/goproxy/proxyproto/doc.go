// Package proxyproto reads and writes the headers of the PROXY protocol,
// versions 1 and 2, by which a proxy tells the next one whom it speaks for.
//
// Reading is strict and takes not a byte more than the header: whatever comes
// after belongs to the connection. It must not decide whose headers are
// believed; that is for who accepts the connection.
package proxyproto
