// Package arch measures the source tree against the rules of the house: who may
// import whom, how long things may be, what every package and page must have.
//
// A rule is a pure function from a Tree to the places that break it. A Tree is
// read from any file system, so that each rule is shown to fail on a small tree
// in memory that breaks it. The package must not import the product: it reads
// text.
package arch
