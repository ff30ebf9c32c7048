package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

const usage = `usage:
  images [-version V] [-out DIR] [-arch amd64,arm64]   build and pack the product's programs
  images pack -out FILE.tar -ref NAME:TAG[,...] [-folder DIR] [-libraries [-root DIR]] [-user NAME:NUMBER] PROGRAM
      pack one program of this machine's architecture: a static one, or with the libraries that it loads here, or in
      the system whose files are in -root. It runs as the user, or as a number that has no name`

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	if len(arguments) > 0 && arguments[0] == "pack" {
		return runPack(flags, arguments[1:])
	}
	version := flags.String("version", "dev", "")
	out := flags.String("out", ".bin/images", "")
	arch := flags.String("arch", "amd64,arm64", "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return release{version: *version, out: *out, architectures: strings.Split(*arch, ",")}.write()
}

func runPack(flags *flag.FlagSet, arguments []string) error {
	out := flags.String("out", "", "")
	references := flags.String("ref", "", "")
	folder := flags.String("folder", "", "")
	libraries := flags.Bool("libraries", false, "")
	root := flags.String("root", "", "")
	user := flags.String("user", "", "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *out == "" || *references == "" || flags.NArg() != 1 {
		return errors.New(usage)
	}
	as, err := readAccount(*user)
	if err != nil {
		return err
	}
	return packOne(*out, strings.Split(*references, ","), content{
		program: flags.Arg(0), folder: *folder, libraries: *libraries, root: strings.TrimRight(*root, "/"), user: as,
	})
}
