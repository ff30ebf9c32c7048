package app

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	"sigs.k8s.io/gateway-api/pkg/consts"

	"github.com/sluice-gateway/sluice/dataplanes/release"
)

func newVersion(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of Sluice, Gateway API and Go",
		Example: "  sluice version",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(streams.Out, "sluice %s\ngateway-api %s\n%s %s/%s\n", release.Version(), consts.BundleVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
