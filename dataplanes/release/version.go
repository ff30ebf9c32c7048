package release

import "runtime/debug"

// image is what an image is of; its build sets it by the linker (tools/images).
var image string

// Version is the image's, else the module's; a build from a checkout says so, with
// the commit where the build knows it.
func Version() string {
	if image != "" {
		return image
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
