package main

import "os"

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 2 && args[0] == "-sum":
		os.Exit(sum(args[1]))
	case len(args) > 2 && args[0] == "-to":
		os.Exit(run(args[1], args[2:], os.Stdout))
	default:
		os.Exit(run("", args, os.Stdout))
	}
}
