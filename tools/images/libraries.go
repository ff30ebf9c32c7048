package main

import (
	"debug/elf"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// libraries are the files of this machine that a program loads, its loader
// included, at the paths where the loader looks for them. They are found as the
// loader does without a cache: in the folders that are its own.
func libraries(program string) ([]string, error) {
	of, err := loads(program)
	if err != nil || of.loader == "" {
		return nil, err
	}
	found := []string{of.loader}
	for needs := of.needs; len(needs) > 0; needs = needs[1:] {
		if slices.ContainsFunc(found, func(file string) bool { return filepath.Base(file) == needs[0] }) {
			continue
		}
		library, err := locate(needs[0], of.machine)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		found = append(found, library.file)
		needs = append(needs, library.needs...)
	}
	slices.Sort(found)
	return found, nil
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
func locate(name string, machine elf.Machine) (executable, error) {
	for _, pattern := range []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		files, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return executable{}, err
		}
		for _, file := range files {
			if library, err := loads(file); err == nil && library.machine == machine {
				return library, nil
			}
		}
	}
	return executable{}, fmt.Errorf("this machine has no %s", name)
}
