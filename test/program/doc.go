// Package program is where tests find the programs of real proxies: those that the
// scripts under hack put into .bin.
//
// It imports nothing of the house, so that every test may use it. A test that asks
// for a program that is not there is skipped, in words that `make test` counts. It
// must not get or build anything.
package program
