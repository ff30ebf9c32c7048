package haproxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
)

// Variable names the environment variable that says where HAProxy is.
const Variable = "SLUICE_HAPROXY"

// Oldest is the oldest major version that the configuration is written for.
const Oldest = 3

// wanted is HAProxy's program. Its own images have it where PATH need not name.
var wanted = agent.Wanted{
	Name: "HAProxy", Release: fmt.Sprintf("%d.0 or newer", Oldest), Variable: Variable,
	Command: "haproxy", Usual: "/usr/local/sbin/haproxy", Flag: "-v",
	Objection: func(said string) string {
		version, major := versionIn(said)
		switch {
		case major == 0:
			return fmt.Sprintf("is no HAProxy, its -v says %q", version)
		case major < Oldest:
			return fmt.Sprintf("is version %q", version)
		default:
			return ""
		}
	},
}

// versionIn reads "HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/".
// What is no HAProxy has the version 0, and its first line in the place of one.
func versionIn(said string) (version string, major int) {
	line, _, _ := strings.Cut(said, "\n")
	words := strings.Fields(line)
	if len(words) < 3 || !strings.EqualFold(words[0], "HAProxy") || !strings.EqualFold(words[1], "version") {
		return line[:min(len(line), 80)], 0
	}
	first, _, _ := strings.Cut(words[2], ".")
	major, _ = strconv.Atoi(first)
	return words[2], major
}
