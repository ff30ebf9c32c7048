//go:build !race

package live

// buildFlags build the program as the tests are built.
var buildFlags []string
