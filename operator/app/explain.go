package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/explain"
	"github.com/sluice-gateway/sluice/operator/source"
)

type explainFlags struct {
	headers []string
	output  string
	engine  string
}

func newExplain(streams Streams) *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain DIR METHOD URL",
		Short: "Say which route and backends would serve a request, and why not the others",
		Long: "Says which listener, route, rule, match and backends of a directory would serve a\n" +
			"request, and for each one that comes close why it does not. Nothing is sent.",
		Example:           "  sluice explain examples/quickstart GET http://demo.localhost:8080/ -H 'x-version: beta'",
		Args:              exactly("DIR", "METHOD", "URL"),
		ValidArgsFunction: directories,
		RunE:              func(cmd *cobra.Command, args []string) error { return runExplain(cmd.Context(), streams, args, f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a header of the request, 'name: value'; may be repeated")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.StringVar(&f.engine, "engine", "", "dataplane for every GatewayClass of Sluice (default: by its controllerName)")
	oneOf{"output", nil, []string{"text", "json"}}.register(cmd)
	oneOf{"engine", nil, planeNames()}.register(cmd)
	return cmd
}

func runExplain(ctx context.Context, streams Streams, args []string, f *explainFlags) error {
	if err := (oneOf{"output", &f.output, []string{"text", "json"}}).check(); err != nil {
		return err
	}
	request, err := parseRequest(args[1], args[2], f.headers)
	if err != nil {
		return err
	}
	var pool *echo.Pool
	l, err := load(ctx, args[0], f.engine, func(s source.Source) *echo.Pool {
		// Echo endpoints are part of the answer.
		pool = echo.NewPool(s, false)
		return pool
	})
	if pool != nil {
		defer pool.Close()
	}
	if err != nil {
		return err
	}
	for _, p := range l.problems.all() {
		_, _ = fmt.Fprintln(streams.Err, p)
	}
	var units []*ir.Unit
	for _, u := range l.snapshot.Units {
		if u.Output.Proxy != nil {
			units = append(units, &ir.Unit{Proxy: u.Output.Proxy, Endpoints: u.Endpoints})
		}
	}
	answer := explain.Explain(units, request)
	if f.output == "json" {
		enc := json.NewEncoder(streams.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(answer)
	}
	return explain.Write(streams.Out, answer)
}

// parseRequest reads a request from the words of a command line.
func parseRequest(method, text string, headers []string) (explain.Request, error) {
	r := explain.Request{Method: strings.ToUpper(method)}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return r, fmt.Errorf("%q is no URL to explain: want http://host/path or https://host/path, with :port where it is not the usual one", text)
	}
	r.Scheme, r.Query = u.Scheme, u.RawQuery
	r.Host = strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return r, fmt.Errorf("%q has the port %q: want 1 to 65535", text, u.Port())
		}
		r.Port = uint16(port)
	}
	// The path as it stands in the URL: what is normal is for the proxy's own
	// rules to say.
	rest := text[strings.Index(text, "://")+3:]
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		r.Path, _, _ = strings.Cut(rest[i:], "?")
		r.Path, _, _ = strings.Cut(r.Path, "#")
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" {
			return r, fmt.Errorf("-H is %q: want 'name: value'", h)
		}
		if strings.EqualFold(name, "host") {
			return r, fmt.Errorf("-H is %q: put the host into the URL instead, as in http://%s/", h, strings.TrimSpace(value))
		}
		r.Headers = append(r.Headers, ir.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	return r, nil
}
