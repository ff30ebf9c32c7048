package pod

import "runtime/debug"

// release is what an image is of; its build sets it by the linker.
var release string

// version is the image's, else the module's; a build from a checkout says so, with
// the commit where the build knows it.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel " + s.Value
		}
	}
	return "devel"
}
