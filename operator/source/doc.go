// Package source says what the engine wants of a place that objects come from.
// It reads no object and knows none of the places, which live below it.
package source
