// Images packs static programs into container images without a container engine:
// those of the product, for each architecture, and any other for tests. The same
// program gives the same bytes. It must not push anything anywhere.
package main
