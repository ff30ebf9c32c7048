// Package openssl says what a unit asks for of TLS as OpenSSL and BoringSSL take it: the
// names of cipher suites, and certificates that they load.
//
// It must not know which proxy has one of them.
package openssl
