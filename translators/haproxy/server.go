package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/haproxytech/client-native/v5/config-parser/params"
	"github.com/haproxytech/client-native/v5/configuration"
	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/place"
)

// backupSuffix ends the names of endpoints that are used only where no other is left.
// HAProxy cannot make a running server a backup, nor a backup a server: one that
// changes its role is another server.
const backupSuffix = "_backup"

// servers are those of a backend's endpoints. Those of the first tier that has any
// are used, those of the next one are backups, and those of the last one, which
// HAProxy has no rank for, are there for their sessions alone.
func (c *Config) servers(e *ir.Endpoints, weight int) []Server {
	if e == nil {
		return nil
	}
	all := make([]Server, 0, len(e.Endpoints))
	rank := 0
	for _, tier := range (place.Place{Zone: c.target.Zone, Node: c.target.Node}).Tiers(e.Endpoints) {
		if len(tier) == 0 {
			continue
		}
		for _, at := range tier {
			s := Server{Name: serverName(at), Address: at, Weight: weight}
			if rank > 0 {
				s.Name, s.Backup = s.Name+backupSuffix, true
			}
			if rank > 1 {
				s.Weight = 0
			}
			all = append(all, s)
		}
		rank++
	}
	slices.SortFunc(all, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Line is a server's line in its section, and what follows its name in "add server".
func (p *Pool) Line(s Server) string {
	return "server " + s.Name + " " + p.Options(s)
}

// Options are what follows a server's name.
func (p *Pool) Options(s Server) string {
	var b strings.Builder
	b.WriteString(p.address(s))
	b.WriteString(" weight ")
	b.WriteString(strconv.Itoa(s.Weight))
	if s.Backup {
		b.WriteString(" backup")
	}
	if says := p.said(); says != "" {
		b.WriteByte(' ')
		b.WriteString(says)
	}
	return b.String()
}

// said is what all servers of a pool have, as HAProxy reads it. Thousands of servers
// have it.
func (p *Pool) said() string {
	if p.says != "" {
		return p.says
	}
	return wordsOf(p.Params)
}

func wordsOf(with models.ServerParams) string {
	return strings.TrimSpace(params.ServerOptionsString(configuration.SerializeServerParams(with)))
}
