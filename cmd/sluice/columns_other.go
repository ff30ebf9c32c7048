//go:build !unix

package main

import "os"

// columns is unknown here: lines are as long as they are.
func columns(*os.File) int { return 0 }
