// Package roots finds the certificates that a system trusts, as Go programs find
// them: what SSL_CERT_FILE and SSL_CERT_DIR name, else where systems keep them, else
// those of Mozilla's that this program carries. Envoy looks for none by itself.
//
// It must not judge them.
package roots
