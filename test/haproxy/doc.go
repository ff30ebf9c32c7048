// Package haproxy is what tests know of the real HAProxy: where its program is
// (Program), and what it has to say about a configuration (Check).
//
// It knows no configuration of ours and imports nothing of the house but
// test/program, so that every test may use it. Where there is no HAProxy, a test
// that asks for it is skipped, in words that `make test` counts.
package haproxy
