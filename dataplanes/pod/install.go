package pod

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// program is the name that this program is installed by.
const program = "sluice-proxy"

func newInstall() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use: "install --to DIR", Short: "Copy this program into a folder, for a container of another image", Args: cobra.NoArgs,
		Long: "Copies this program into a folder that a container of another image mounts: what an init\n" +
			"container does, so that a proxy's own image needs no change. Whoever runs what is there\n" +
			"already goes on with it; the copy takes its place at once and as a whole.",
		Example: "  sluice-proxy install --to /opt/sluice",
		RunE:    func(*cobra.Command, []string) error { return install(dir) },
	}
	cmd.Flags().StringVar(&dir, "to", "", "the folder; it must be there")
	return cmd
}

func install(dir string) error {
	if dir == "" {
		return errors.New("--to is not set: want the folder to copy this program into")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	if err := copyProgram(self, filepath.Join(dir, program)); err != nil {
		return fmt.Errorf("install into --to %s: %w", dir, err)
	}
	return nil
}

// copyProgram goes by a file beside the target, as a container that restarts may
// run the target meanwhile: half a program must not be there, and one that runs
// cannot be written.
func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	part, err := os.CreateTemp(filepath.Dir(to), ".installing-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = io.Copy(part, source)
	// The container that runs it may have another user.
	if err := errors.Join(err, part.Chmod(0o755), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), to)
}
