// Package process starts programs for a benchmark and reads from /proc what
// they and their children have used. It ends only what it started, and where
// there is no /proc, its measures are errors.
package process
