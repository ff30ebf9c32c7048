// Package release says of which release a program is. It is for what runs in pods
// and for the operator alike, so it knows neither.
package release
