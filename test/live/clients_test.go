package live

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/test/load"
)

// client is one that looks for the edit that answers carry.
type client struct {
	*load.Client
	// edit is the highest x-edit that an answer has had.
	edit atomic.Int64
}

// allClients are those that every promise about changes is held to.
func allClients(p *program, host string) []*client {
	targets := load.Targets{Plain: p.at(plainPort), Secure: p.at(securePort), QUIC: p.at(quicPort), Host: host, Path: "/live"}
	var all []*client
	for _, sender := range load.Clients(targets, nil) {
		c := &client{Client: sender}
		c.Check = c.look
		all = append(all, c)
	}
	return all
}

func (c *client) look(answer *http.Response) error {
	edit, err := strconv.ParseInt(answer.Header.Get("X-Edit"), 10, 64)
	if err != nil {
		return fmt.Errorf("x-edit: %w", err)
	}
	c.edit.Store(max(c.edit.Load(), edit))
	return nil
}

func senders(clients []*client) []*load.Client {
	all := make([]*load.Client, len(clients))
	for i, c := range clients {
		all[i] = c.Client
	}
	return all
}
