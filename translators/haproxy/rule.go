package haproxy

import (
	"strconv"

	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
)

// section returns the name of the section that does what a rule asks of its share of
// requests, and makes it.
func (c *Config) section(route *ir.Route, rule *ir.Rule, use *ir.BackendUse) string {
	lines := c.asked(route, rule, use)
	return c.keep(sectionName(*use.Backend, lines), func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: lines, Pool: c.pool(*use.Backend)}
	})
}

// asked is what is done with requests that a rule leads to one of its backends.
func (c *Config) asked(*ir.Route, *ir.Rule, *ir.BackendUse) []string {
	return []string{"balance roundrobin"}
}

// answer returns the name of the section that answers with a status, and makes it.
func (c *Config) answer(status int) string {
	return c.keep(answerName(strconv.Itoa(status)), func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: []string{
			"http-request return status " + strconv.Itoa(status),
		}}
	})
}

// keep makes a section unless it is there: its name says its content.
func (c *Config) keep(name string, build func(name string) *Section) string {
	if c.made.sections[name] == nil {
		c.made.sections[name] = build(name)
	}
	return name
}

// pool returns where a backend's servers come from.
func (c *Config) pool(key ir.BackendKey) *Pool {
	p := &Pool{Endpoints: key.EndpointsKey, Params: models.ServerParams{}}
	p.Servers = servers(c.made.endpoints[key.EndpointsKey])
	return p
}
