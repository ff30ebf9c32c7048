// Package folder makes the folder that a proxy's process runs in, which only this user
// can enter, and takes away those that killed programs have left.
//
// It must not know which proxy it is, nor what its files say.
package folder
