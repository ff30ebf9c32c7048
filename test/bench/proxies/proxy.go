package proxies

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// Ports are where a proxy listens, on loopback. 0 is a port that the proxy does
// not have.
type Ports struct {
	// Plain and TLS have one route; Routes has as many as Setup says, without TLS.
	Plain, TLS, Routes int
	// GRPC speaks HTTP/2 without TLS.
	GRPC int
	// TCP leads to the backend's HTTP, Pass to its HTTPS by SNI, UDP to its UDP.
	TCP, Pass, UDP int
	// Admin has metrics.
	Admin int
}

// Backend are the ports of the backend, on loopback.
type Backend struct{ HTTP, HTTPS, GRPC, UDP int }

// Setup is what a configuration is made from.
type Setup struct {
	// Dir is for the proxy's files alone; Log is its output, with the access log.
	Dir, Log string
	Ports    Ports
	Backend  Backend
	// Count is the number of routes on the port Routes.
	Count int
	// Procs is the number of processors to use.
	Procs int
	// Cert, Key and Both (the two in one file) are PEM files for localhost.
	Cert, Key, Both string
	// Self is this program and Sluice is ours, built.
	Self, Sluice string
	// Packages is where packages were unpacked, which are looked at before PATH.
	Packages string
}

// Launch is how to start a proxy.
type Launch struct {
	Args, Env []string
	// Version says what is started.
	Version []string
	// Edit changes a route that the load does not take, for the n-th time; nil
	// where a proxy cannot be changed while it runs.
	Edit func(n int) error
}

// Proxy is one that can be measured.
type Proxy struct {
	Name string
	// Prepare writes the configuration. An error says why the proxy is left out.
	Prepare func(Setup) (Launch, error)
}

// All are those that are known, in the order of the table. The first is what
// the others are compared to.
func All() []Proxy {
	return []Proxy{
		{"haproxy", haproxy}, {"sluice", sluice}, {"nginx", nginx},
		{"nethttp", reverseProxy}, {"caddy", caddy}, {"envoy", envoy}, {"sluice-envoy", sluiceEnvoy},
		{"haproxy-alike", haproxyAlike}, {"sluice-haproxy", sluiceHAProxy},
	}
}

// Find returns the path of a program, from the unpacked packages or PATH.
func Find(packages, name string) (string, error) {
	for _, dir := range []string{"usr/sbin", "usr/bin"} {
		path := filepath.Join(packages, dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed and could not be had", name)
	}
	return path, nil
}

// Libraries is what the environment of a program from the packages needs, to
// find the libraries that came with it.
func Libraries(packages string) []string {
	dirs, _ := filepath.Glob(filepath.Join(packages, "usr/lib/*-linux-gnu*"))
	if len(dirs) == 0 {
		return nil
	}
	return []string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")}
}

// write fills a template with the setup and writes it into the proxy's folder.
func (s Setup) write(name, text string, more map[string]any) (string, error) {
	names := make([]string, s.Count)
	for i := range names {
		names[i] = fmt.Sprintf("r%04d", i)
	}
	data := map[string]any{"S": s, "P": s.Ports, "B": s.Backend, "Routes": names}
	for k, v := range more {
		data[k] = v
	}
	t, err := template.New(name).Parse(text)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.Dir, name)
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errorsOf(t.Execute(f, data), f.Close())
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// found is a launch of a program that is searched for.
func (s Setup) found(name string, args, version []string) (Launch, error) {
	path, err := Find(s.Packages, name)
	if err != nil {
		return Launch{}, err
	}
	env := []string{fmt.Sprintf("GOMAXPROCS=%d", s.Procs)}
	if strings.HasPrefix(path, s.Packages+"/") {
		env = append(env, Libraries(s.Packages)...)
	}
	return Launch{Args: slices.Concat([]string{path}, args), Env: env, Version: slices.Concat([]string{path}, version)}, nil
}
