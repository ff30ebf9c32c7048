package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: cluster COMMAND
  up [-nodes N] [-dual-stack]   boot a cluster and print the environment to use it with
  down                          take it down, and remove what a killed one has left
  env                           print the environment to use it with
  load ARCHIVE...               import images into its nodes
  node-exec N COMMAND...        run a command in a node
  stop PROCESS...               end a part of it: metallb, kube-scheduler, node1, ...
  build                         make the cluster's programs, and nothing else
  missing                       print the Debian packages that this machine lacks`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	commands := map[string]func(context.Context, []string) error{
		"up": up, "down": down, "env": environment, "load": load, "node-exec": execute, "stop": stop, "build": build,
		"missing": missing, "serve": serve, "node": node,
	}
	if len(arguments) == 0 || commands[arguments[0]] == nil {
		return fmt.Errorf("%q is no command\n%s", arguments, usage)
	}
	return commands[arguments[0]](ctx, arguments[1:])
}
