package main

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// system is the folder with the files of a system of Linux; empty is this machine.
type system string

// libraries are the files that a program loads, its loader included, by the paths
// at which the loader looks for them. They are found as the loader does without a
// cache: in the folders that are its own.
func (s system) libraries(program string) (map[string]string, error) {
	of, err := loads(program)
	if err != nil || of.loader == "" {
		return nil, err
	}
	found := map[string]string{of.loader: s.file(of.loader)}
	known := map[string]bool{filepath.Base(of.loader): true}
	for needs := of.needs; len(needs) > 0; needs = needs[1:] {
		if known[needs[0]] {
			continue
		}
		known[needs[0]] = true
		library, err := s.locate(needs[0], of.machine)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		found[strings.TrimPrefix(library.file, string(s))] = library.file
		needs = append(needs, library.needs...)
	}
	return found, nil
}

// file is where a path of the system is on this machine. Packages have in /usr what
// a link of the installed system leads to.
func (s system) file(path string) string {
	if file := string(s) + path; exists(file) {
		return file
	}
	return string(s) + "/usr" + path
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// executable is a program or a library.
type executable struct {
	file    string
	machine elf.Machine
	// loader is a program's, which a static one has not.
	loader string
	// needs are the names of libraries.
	needs []string
}

func loads(file string) (executable, error) {
	f, err := elf.Open(file)
	if err != nil {
		return executable{}, fmt.Errorf("%s is no program of Linux: %w", file, err)
	}
	defer f.Close()
	e := executable{file: file, machine: f.Machine}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text, err := io.ReadAll(p.Open())
			if err != nil {
				return executable{}, fmt.Errorf("%s: %w", file, err)
			}
			e.loader = strings.TrimRight(string(text), "\x00")
		}
	}
	e.needs, err = f.ImportedLibraries()
	return e, err
}

// locate finds a library in the loader's own folders: Debian's by architecture,
// and everybody else's. One of another architecture is passed over.
func (s system) locate(name string, machine elf.Machine) (executable, error) {
	for _, pattern := range []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		files, err := filepath.Glob(string(s) + filepath.Join(pattern, name))
		if err != nil {
			return executable{}, err
		}
		for _, file := range files {
			if library, err := loads(file); err == nil && library.machine == machine {
				return library, nil
			}
		}
	}
	return executable{}, fmt.Errorf("%s has no %s", s, name)
}

func (s system) String() string {
	if s == "" {
		return "this machine"
	}
	return string(s)
}
