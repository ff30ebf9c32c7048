// Package table compiles what the translator wrote into an immutable table, and
// looks requests up in it: port, listener, host, rule.
//
// A table is swapped as a whole and never changes, so a request that holds one
// sees one generation from its beginning to its end. Precedence is package
// order's: the table is only the fast way to the same answer, and a fuzz test
// holds the two together. The package sends nothing, and knows no codec.
package table
