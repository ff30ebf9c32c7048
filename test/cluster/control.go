package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/host"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// ask sends a request to the process that keeps the cluster.
func ask(ctx context.Context, method, path string) ([]byte, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", plan.Socket())
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://cluster"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, path, strings.TrimSpace(string(body)))
	}
	return body, err
}

func state(ctx context.Context) (host.State, error) {
	var s host.State
	body, err := ask(ctx, http.MethodGet, "/state")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(body, &s)
}

// StopProcess ends a process as a power cut does: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, metallb, node1, ...
func (c *Cluster) StopProcess(ctx context.Context, name string) error {
	_, err := ask(ctx, http.MethodPost, "/stop?name="+url.QueryEscape(name))
	return err
}

// StartProcess starts what StopProcess has stopped, and waits until it works: a
// node is Ready, the API server answers.
func (c *Cluster) StartProcess(ctx context.Context, name string) error {
	_, err := ask(ctx, http.MethodPost, "/start?name="+url.QueryEscape(name))
	return err
}

// StopNode cuts the power of node i, which counts from 1. Addresses that it
// answered for are answered for by the next node that is up.
func (c *Cluster) StopNode(ctx context.Context, i int) error {
	return c.StopProcess(ctx, plan.NodeName(i))
}

// StartNode boots node i, with the disk that it had, and waits until it is
// Ready. Its pods start again; the statuses that they had before are seen until
// they do.
func (c *Cluster) StartNode(ctx context.Context, i int) error {
	return c.StartProcess(ctx, plan.NodeName(i))
}

// RebootNode is StopNode and StartNode.
func (c *Cluster) RebootNode(ctx context.Context, i int) error {
	if err := c.StopNode(ctx, i); err != nil {
		return err
	}
	return c.StartNode(ctx, i)
}

// pid returns the id of a running process.
func (c *Cluster) pid(ctx context.Context, name string) (int, error) {
	s, err := state(ctx)
	if err != nil {
		return 0, err
	}
	pid, ok := s.Processes[name]
	if !ok {
		return 0, fmt.Errorf("%s does not run", name)
	}
	return pid, nil
}

// Down takes down the cluster that runs on this machine, and removes what one
// that was killed has left. Without either it does nothing.
func Down(ctx context.Context) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for began := time.Now(); ; {
		lock, err := host.Acquire()
		if err == nil {
			defer lock.Close()
			return host.Clean()
		}
		if !errors.Is(err, host.ErrRuns) {
			return err
		}
		// Who does not answer is booting, or ending already, or hangs.
		_, _ = ask(ctx, http.MethodPost, "/shutdown")
		if time.Since(began) > patience {
			killKeeper()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not end: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// killKeeper ends a process that has the lock and does not listen. The kernel
// ends what it has started.
func killKeeper() {
	data, err := os.ReadFile(plan.PID())
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
