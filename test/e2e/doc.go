// Package e2e holds a whole Sluice in a whole cluster to its promises, with real
// traffic: `make e2e`. Everything runs under the restricted Pod Security
// standard. It must not look into the product: what it asks is what a user could
// ask.
package e2e
