package app

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/operator/echo"
)

type echoFlags struct {
	port, grpcPort uint16
	bind, name     string
}

// echoDrain is how long requests may still take after the command was told to
// stop.
const echoDrain = 10 * time.Second

func newEcho(streams Streams) *cobra.Command {
	host, _ := os.Hostname()
	f := &echoFlags{}
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Serve a backend that answers who it is and what it got",
		Long: "Serves HTTP/1.1, HTTP/2 without TLS, gRPC and WebSocket on one port. Requests\n" +
			"may ask for an answer: ?status=503 ?delay=250ms ?size=1000 ?close ?header=Name:value,\n" +
			"or the same as headers (X-Echo-Status and so on).",
		Example: "  sluice echo --port 3000 --name shop-1",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runEcho(cmd.Context(), streams, f) },
	}
	flags := cmd.Flags()
	flags.Uint16Var(&f.port, "port", 3000, "port to listen at")
	flags.Uint16Var(&f.grpcPort, "grpc-port", 0, "a second port; 0 is none, as --port serves gRPC too")
	flags.StringVar(&f.bind, "bind", "127.0.0.1", "address to listen at")
	flags.StringVar(&f.name, "name", host, "the name that answers carry")
	return cmd
}

func runEcho(ctx context.Context, streams Streams, f *echoFlags) error {
	address, err := netip.ParseAddr(f.bind)
	if err != nil {
		return fmt.Errorf("--bind is %q: want an IP address such as 127.0.0.1 or 0.0.0.0", f.bind)
	}
	ports := []uint16{f.port}
	if f.grpcPort != 0 && f.grpcPort != f.port {
		ports = append(ports, f.grpcPort)
	}
	for _, port := range ports {
		server, err := echo.Start(echo.Options{Address: netip.AddrPortFrom(address, port), Name: f.name})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(streams.Out, "echo %q listens at %s\n", f.name, server.Address())
		defer func() {
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), echoDrain)
			defer cancel()
			server.Shutdown(drain)
		}()
	}
	<-ctx.Done()
	return nil
}
