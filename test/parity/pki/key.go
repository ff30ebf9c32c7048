package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
)

// KeyKind is a kind of private keys.
type KeyKind string

// The kinds of keys. RSA1024 is too short for some.
const (
	P256    KeyKind = "p256"
	P384    KeyKind = "p384"
	Ed25519 KeyKind = "ed25519"
	RSA2048 KeyKind = "rsa2048"
	RSA1024 KeyKind = "rsa1024"
)

func (k KeyKind) generate() (crypto.Signer, error) {
	switch k {
	case "", P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA1024:
		return rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // It is meant to be weak.
	default:
		return nil, fmt.Errorf("a key %q is not known", k)
	}
}
