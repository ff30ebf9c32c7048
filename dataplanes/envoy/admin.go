package envoy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
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
		err = fmt.Errorf("the admin interface of Envoy answers %s %s with %d: %s", method, path, response.StatusCode, body)
	}
	return body, err
}

// warming reports whether a listener or a cluster is not in use yet. What it asks
// for costs little however many clusters there are.
func (a *Admin) warming(ctx context.Context) (bool, error) {
	const none = "{}"
	for _, path := range []string{"/config_dump?resource=dynamic_warming_clusters&mask=cluster.name", "/init_dump?mask=listener"} {
		body, err := a.Get(ctx, path)
		if err != nil {
			return false, err
		}
		if string(bytes.TrimSpace(body)) != none {
			return true, nil
		}
	}
	return false, nil
}

func (a *Admin) close() { a.client.CloseIdleConnections() }
