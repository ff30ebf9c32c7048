package envoy

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
)

// Variable names the environment variable that says where Envoy is.
const Variable = "SLUICE_ENVOY"

// Version is the one that the configuration is written for.
const Version = "1.40"

// wanted is Envoy's program.
var wanted = agent.Wanted{
	Name: "Envoy", Release: Version, Variable: Variable, Command: "envoy", Flag: "--version",
	Objection: func(said string) string {
		if version := versionIn(said); !strings.HasPrefix(version, Version+".") {
			return fmt.Sprintf("is version %q", version)
		}
		return ""
	},
}

// versionIn reads "envoy  version: 9e55.../1.40.0/Clean/RELEASE/BoringSSL".
func versionIn(said string) string {
	_, rest, _ := strings.Cut(said, "version: ")
	parts := strings.Split(rest, "/")
	if len(parts) < 2 {
		line, _, _ := strings.Cut(said, "\n")
		return line[:min(len(line), 80)]
	}
	return parts[1]
}
