// Package hash names parts of the ir by their content: equal parts have equal
// sums on every machine and in every version that has the same fields.
//
// Sums are cryptographic, as they stand for content on the wire, and they cover
// secrets, so that a renewed key is a changed part. A sum tells nothing of what
// it covers. The package must not change a part; a Memo keeps those of the last
// list, as pointers alone.
package hash
