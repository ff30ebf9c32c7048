package table

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/test/ordertest"
	"github.com/sluice-gateway/sluice/translators/goproxy"
)

const many = 100_000

// manyHosts has a route for each of 100,000 hostnames, a tenth of them
// wildcards, with exact and prefix matches in turn.
func manyHosts() (*ir.Unit, []*exchange.Request) {
	return mixed(func(i int) (string, string, string) {
		path := fmt.Sprintf("/api/v%d", i%7)
		if i%10 == 0 {
			return fmt.Sprintf("*.w%d.example.org", i), fmt.Sprintf("x.y.w%d.example.org", i), path
		}
		host := fmt.Sprintf("h%d.example.org", i)
		return host, host, path
	})
}

// manyPaths has 100,000 routes on one hostname.
func manyPaths() (*ir.Unit, []*exchange.Request) {
	return mixed(func(i int) (string, string, string) {
		return "shop.example.org", "shop.example.org", fmt.Sprintf("/team-%d/service-%d", i/100, i)
	})
}

// mixed makes 100,000 routes, and requests that hit some of them.
func mixed(name func(i int) (hostname, host, path string)) (*ir.Unit, []*exchange.Request) {
	var routes []*ir.Route
	var requests []*exchange.Request
	for i := range many {
		hostname, host, path := name(i)
		kind, rest := ir.Exact, ""
		if i%2 == 0 {
			kind, rest = ir.Prefix, "/items/42"
		}
		routes = append(routes, newRoute(fmt.Sprintf("r%d", i), []string{hostname}, rule(kind, path)))
		if i%101 == 0 {
			requests = append(requests, &exchange.Request{Method: "GET", Host: host, Path: path + rest, Header: browserHeader})
		}
	}
	return unitOf(routes...), requests
}

var browserHeader = exchange.Header{
	{Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Accept", Value: "*/*"},
	{Name: "Accept-Encoding", Value: "gzip"}, {Name: "Cookie", Value: "a=b"},
}

// BenchmarkLookup100k is the promise of docs/performance.md: at most 2 us and no
// allocation.
func BenchmarkLookup100k(b *testing.B) {
	for name, unitOf := range map[string]func() (*ir.Unit, []*exchange.Request){"hosts": manyHosts, "paths": manyPaths} {
		b.Run(name, func(b *testing.B) {
			unit, requests := unitOf()
			lookup(b, unit, requests)
		})
	}
}

func lookup(b *testing.B, unit *ir.Unit, requests []*exchange.Request) {
	b.Helper()
	table, _ := compileUnit(b, unit)
	port := table.Port(ordertest.Plain)
	for _, r := range requests {
		if port.Lookup("", r).Outcome != Found {
			b.Fatalf("%s%s is not found", r.Host, r.Path)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		port.Lookup("", requests[i%len(requests)])
		i++
	}
}

// BenchmarkLookupRegex has 100 expressions on one host, which are tried in turn.
func BenchmarkLookupRegex(b *testing.B) {
	var routes []*ir.Route
	for i := range 100 {
		routes = append(routes, newRoute(fmt.Sprintf("r%d", i), []string{"*"}, rule(ir.Regex, fmt.Sprintf("/team-%02d/[a-z]+/items", i))))
	}
	lookup(b, unitOf(routes...), []*exchange.Request{{Host: "a", Path: "/team-50/a/items"}})
}

// BenchmarkLookupWide has 1,000 rules on one path that differ by a header.
func BenchmarkLookupWide(b *testing.B) {
	lookup(b, unitOf(wideRoute(1000)), []*exchange.Request{tenantRequest(0), tenantRequest(999)})
}

// BenchmarkRecompile changes one of 5,000 routes on hosts of their own.
func BenchmarkRecompile(b *testing.B) {
	var routes []*ir.Route
	for i := range 5000 {
		routes = append(routes, newRoute(fmt.Sprintf("r%d", i), []string{fmt.Sprintf("h%d.example.org", i)}, rule(ir.Prefix, "/")))
	}
	config := goproxy.Translate(unitOf(routes...), nil)
	table, _ := Compile(config, nil)
	b.ReportAllocs()
	for b.Loop() {
		routes[17] = newRoute("r17", []string{"h17.example.org"}, rule(ir.Prefix, "/"))
		config = goproxy.Translate(unitOf(routes...), config)
		table, _ = Compile(config, table)
	}
}
