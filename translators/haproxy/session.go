package haproxy

import (
	_ "embed"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
	"github.com/sluice-gateway/sluice/ir/order"
)

//go:embed lua/session.lua
var session string

const sessionFile = "session.lua"

// SessionKey is the variable with the key that the tokens of sessions are made with, in
// BASE64. Whoever runs HAProxy sets it; it is in no Config, so that nothing that shows
// one shows the key.
const SessionKey = "proc.session_key"

// keepSession looks for a session's token in requests that come from a rule's own
// filters, and makes one in responses, before any filter sees them. HAProxy's own
// persistence has tokens that anybody can read and make up.
func (w *walk) keepSession(s *ir.Session) {
	how := kindOf(s) + " " + quote(s.Name)
	w.down("http-request lua.session_read " + how + " " + limit(s))
	w.last = append(w.last, "use-server %[var(txn.pinned)] if { var(txn.pinned) -m found }")
	w.session = "http-response lua.session_write " + how + " " + quote(w.attributes(s))
}

func kindOf(s *ir.Session) string {
	if s.Header {
		return "header"
	}
	return "cookie"
}

// limit is the time of a session in seconds; 0 is for ever.
func limit(s *ir.Session) string {
	return strconv.FormatInt(int64((time.Duration(max(0, s.AbsoluteTimeout))+time.Second-1)/time.Second), 10)
}

// attributes are what follows a cookie's value. A path that would be read as another
// attribute is left out.
func (w *walk) attributes(s *ir.Session) string {
	var b strings.Builder
	if s.Path != "" && editing.ValidValue(s.Path) && !strings.Contains(s.Path, ";") {
		b.WriteString("; Path=" + s.Path)
	}
	if s.Permanent && s.AbsoluteTimeout > 0 {
		b.WriteString("; Max-Age=" + limit(s))
	}
	if w.port.Protocol == ir.HTTPS {
		b.WriteString("; Secure")
	}
	b.WriteString("; HttpOnly; SameSite=Lax")
	return b.String()
}

// several notes that sessions of a rule outlive what chance would say: which of its
// sections has a session's endpoint.
func (c *Config) several(p *order.Port, rule *ir.Rule, shares []share) {
	if rule.Session == nil || len(shares) < 2 {
		return
	}
	value := kindOf(rule.Session) + " " + rule.Session.Name + " " + limit(rule.Session)
	for _, one := range shares {
		if one.pool != "" {
			value += " " + one.section + "/" + one.pool
		}
	}
	c.Blocks = append(c.Blocks, c.single(Row{"session|" + strconv.Itoa(int(p.Port)) + "|" + Tag(rule.Origin), value}))
	c.made.several[p.Port] = true
}

// stay leads those who have a session to its section. It stands after the look for a
// request's row.
func (c *Config) stay(p *order.Port) []string {
	if !c.made.several[p.Port] {
		return nil
	}
	return []string{
		"http-request set-var(txn.tag) var(" + varTo + "),field(2,|)",
		"http-request set-var(txn.several) str(session|" + strconv.Itoa(int(p.Port)) + "|),concat(,txn.tag),map_str(" + RoutesMap + ") if { var(txn.tag) -m found }",
		"http-request lua.session_choose if { var(txn.several) -m found }",
	}
}
