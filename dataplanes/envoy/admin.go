package envoy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Admin asks Envoy's admin interface, over its socket.
type Admin struct{ client http.Client }

func newAdmin(path string) *Admin {
	return &Admin{http.Client{Transport: &http.Transport{
		MaxIdleConns: 2,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
}

// Get returns what a path answers, "/stats?filter=x".
func (a *Admin) Get(ctx context.Context, path string) ([]byte, error) {
	return a.ask(ctx, http.MethodGet, path)
}

// Post sends a command.
func (a *Admin) Post(ctx context.Context, path string) error {
	_, err := a.ask(ctx, http.MethodPost, path)
	return err
}

func (a *Admin) ask(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("Envoy's admin answers %s %s with %d: %s", method, path, response.StatusCode, body)
	}
	return body, err
}

// gauges returns the values of statistics by name.
func (a *Admin) gauges(ctx context.Context, filter string) (map[string]int, error) {
	body, err := a.Get(ctx, "/stats?filter="+filter)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if n, err := strconv.Atoi(value); err == nil {
			all[name] = n
		}
	}
	return all, nil
}

// warming is how many clusters and listeners are not in use yet.
func (a *Admin) warming(ctx context.Context) (clusters, listeners int, err error) {
	const c, l = "cluster_manager.warming_clusters", "listener_manager.total_listeners_warming"
	all, err := a.gauges(ctx, "^("+c+"|"+l+")$")
	return all[c], all[l], err
}
