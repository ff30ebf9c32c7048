// Package envoy is what tests know of the real Envoy: where its program is
// (Program), whether it accepts resources (Validate), and whether messages keep
// to the rules that their own definitions state (Check).
//
// It knows no configuration of ours and imports nothing of the house but
// test/program, so that every test may use it. Where there is no Envoy, a test that
// asks for it is skipped, in words that `make test` counts.
package envoy
